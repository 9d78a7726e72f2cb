/*
 * limit.c: what the machine can do, for `make bench`: bare loops of the system
 * calls that an operation of queuectl cannot do without, and the measuring of
 * commands (measure.c).  See tests/bench/bench.
 *
 *     limit time CMD…             "SECONDS FAULTS KIB" of a command, KIB at its
 *                                 greatest
 *     limit calls CMD…            system calls of it and all that it starts
 *     limit spawn N FLIGHT CMD…   vfork, execve, wait4, N times, FLIGHT at once
 *     limit spool DIR             makes the directories for the following
 *     limit queue N DIR           open, flock, rename, append, rename, close
 *     limit move N DIR            open, fstat, read, close, rename
 *     limit same N DIR            the system calls that queuectl makes there
 *     limit life N FLIGHT DIR CMD…  the first N files of a spool by FLIGHT
 *                                 processes, that read the directory and then
 *                                 make the system calls of a job's life (see
 *                                 "running a job" in worker.c) but those for
 *                                 news, and nothing else
 *     limit status DIR            what status does there, without the config
 *     limit enqueue N DIR SYNC    create, write, close, link for each file;
 *                                 SYNC=enqueue: synced in batches of BATCH
 *     limit durable DIR           the same for one file, and synced
 *     limit readdir DIR…          reads directories, prints the entries
 *     limit watch DIR CMD…        runs CMD for each file linked into DIR
 *     limit attend SPOOL CMD…     the same for SPOOL/pending, with the system
 *                                 calls of a job's life
 *     limit stamp FIFO            writes the time into a FIFO
 *     limit latency N SPOOL FIFO  links N jobs that run `limit stamp FIFO` into
 *                                 SPOOL/pending, one by one when it is idle:
 *                                 "P50 P99", microseconds from link to main
 *     limit switches SECONDS PID… voluntary context switches in that time
 *
 * Loops that are timed from within print seconds.  Errors end it with 1.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "limit.h"

enum { BATCH = 1000 }; /* what `queuectl enqueue -` publishes at once */

static const char text[] =
    "Queuectl: 1\nId: aaaaaaaaaa\nArg: true\nCwd: /var/spool/queuectl\n"
    "Created: 2026-11-24T00:00:00.000000Z\n";

_Noreturn void
die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

void
need(int ok, const char *what)
{
	if (!ok)
		die(what);
}

double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

long
number(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	errno = EINVAL;
	need(*s && !*end && n > 0, s);
	return n;
}

/* --- files -------------------------------------------------------------- */

static int
open_at(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	need(fd >= 0, path);
	return fd;
}

static void
sync_at(int dir, const char *path)
{
	int fd = open_at(dir, path);

	need(fsync(fd) == 0, path);
	close(fd);
}

static void
make_spool(const char *path)
{
	static const char *const names[] = { "ids", "pending", "processing",
		"done", "log" };
	size_t i;
	int dir;

	need(mkdir(path, 0700) == 0, path);
	dir = open_at(AT_FDCWD, path);
	for (i = 0; i < sizeof names / sizeof *names; i++)
		need(mkdirat(dir, names[i], 0700) == 0, names[i]);
}

static void
file_name(char name[64], const char *dir, long i)
{
	snprintf(name, 64, "%s/5-20261124T000000.%06ldZ-0-aaa%07ld", dir,
	    i % 1000000, i);
}

static void
run_move(long n, const char *path)
{
	int dir = open_at(AT_FDCWD, path);
	double began = now();
	char bytes[4096];
	long i;

	for (i = 0; i < n; i++) {
		char a[64], b[64];
		struct stat st;
		int fd;

		file_name(a, "pending", i);
		file_name(b, "done", i);
		fd = openat(dir, a, O_RDONLY | O_CLOEXEC);
		need(fd >= 0, a);
		need(fstat(fd, &st) == 0, a);
		need(pread(fd, bytes, sizeof bytes, 0) > 0, a);
		close(fd);
		need(renameat(dir, a, dir, b) == 0, b);
	}
	printf("%.6f\n", now() - began);
}

static void
run_queue(long n, const char *path)
{
	int dir = open_at(AT_FDCWD, path);
	double began = now();
	long i;

	for (i = 0; i < n; i++) {
		char a[64], b[64], c[64];
		int fd;

		file_name(a, "pending", i);
		file_name(b, "processing", i);
		file_name(c, "done", i);
		fd = openat(dir, a, O_RDWR | O_APPEND | O_CLOEXEC);
		need(fd >= 0, a);
		need(flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
		need(renameat(dir, a, dir, b) == 0, b);
		need(write(fd, text, 100) == 100, "write");
		need(renameat(dir, b, dir, c) == 0, c);
		close(fd);
	}
	printf("%.6f\n", now() - began);
}

static pid_t
spawn_job(char **argv, int out, int held)
{
	pid_t pid = vfork();

	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		getppid();
		umask(022);
		dup2(out, 1);
		dup2(out, 2);
		fcntl(held, F_SETFD, 0);
		need(chdir("/") == 0, "chdir");
		execve(argv[0], argv, environ);
		_exit(127);
	}
	need(pid > 0, "vfork");
	return pid;
}

static volatile sig_atomic_t ended;
static int self_pipe[2];

static void
on_child(int sig)
{
	(void)sig;
	ended = 1;
	need(write(self_pipe[1], "", 1) == 1, "self-pipe");
}

static void
run_job(char **argv, int dir, int held)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };
	static char slot[480], bytes[65536];
	static int slots = -1;
	struct stat st;
	int out[2];

	fstatat(dir, "log/aaa", &st, AT_SYMLINK_NOFOLLOW);
	if (slots < 0)
		slots = openat(dir, "slots", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(slots >= 0 && pwrite(slots, slot, sizeof slot, 0) > 0, "slot");
	need(pipe2(out, O_CLOEXEC) == 0, "pipe2");
	spawn_job(argv, out[1], held);
	close(out[1]);
	p[0].fd = out[0];
	p[1].fd = self_pipe[0];
	while (!ended) {
		poll(p, 2, -1);
		if (p[0].revents)
			p[0].fd = -1; /* asleep until it has ended */
	}
	ended = 0;
	need(read(self_pipe[0], bytes, 64) > 0, "self-pipe");
	reap();
	need(read(out[0], bytes, sizeof bytes) == 0, "output");
	close(out[0]);
}

static void
move(int dir, const char *from, const char *to)
{
	const unsigned noreplace = 1; /* RENAME_NOREPLACE, which musl lacks */

	need(syscall(SYS_renameat2, dir, from, dir, to, noreplace) == 0, to);
}

/* A job's way through the queue; with a command, it is run. */
static void
run_file(int dir, const char *name, char **argv)
{
	char a[80], b[80], c[80], id[80], bytes[240];
	struct stat st;
	int fd, out;

	snprintf(id, sizeof id, "ids/%s", strrchr(name, '-') + 1);
	snprintf(a, sizeof a, "pending/%s", name);
	snprintf(b, sizeof b, "processing/%s", name);
	snprintf(c, sizeof c, "done/%s", name);
	fd = openat(dir, a, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	need(fd >= 0 && fstat(fd, &st) == 0, a);
	out = openat(dir, a, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
	need(out >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
	need(fstat(out, &st) == 0 && pread(fd, bytes, sizeof bytes, 0) > 0, a);
	need(fstatat(dir, id, &st, AT_SYMLINK_NOFOLLOW) == 0, id);
	move(dir, a, b);
	need(fstatat(dir, b, &st, AT_SYMLINK_NOFOLLOW) == 0, b);
	if (argv) {
		need(write(null, text, 50) == 50, "log");
		run_job(argv, dir, fd);
	}
	need(fstat(out, &st) == 0 && write(out, text, 100) == 100, "write");
	move(dir, b, c);
	flock(fd, LOCK_UN);
	close(fd);
	close(out);
	if (argv)
		need(write(null, text, 50) == 50, "log");
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names in pending/ in order, of which there are n at least. */
static char (*
read_names(const char *path, long n))[64]
{
	int fd = openat(open_at(AT_FDCWD, path), "pending", O_RDONLY);
	DIR *d = fdopendir(fd);
	char (*v)[64] = NULL;
	struct dirent *e;
	size_t all = 0;

	need(d != NULL, path);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (!(all & (all - 1)))
			v = realloc(v, 2 * (all + 1) * sizeof *v);
		need(v && strlen(e->d_name) < sizeof *v, e->d_name);
		strcpy(v[all++], e->d_name);
	}
	closedir(d);
	need(all >= (size_t)n, "too few files");
	qsort(v, all, sizeof *v, compare_names);
	return v;
}

static void
run_same(long n, const char *path)
{
	char (*name)[64] = read_names(path, n);
	int dir = open_at(AT_FDCWD, path);
	double began = now();
	long i;

	for (i = 0; i < n; i++)
		run_file(dir, name[i], NULL);
	printf("%.6f\n", now() - began);
}

static long
count_names(int dir, const char *path)
{
	static char bytes[32768];
	int fd = open_at(dir, path);
	long n, all = 0;

	while ((n = syscall(SYS_getdents64, fd, bytes, sizeof bytes)) > 0)
		all += n;
	close(fd);
	return all;
}

static void
watch_children(void)
{
	const struct sigaction a = { .sa_handler = on_child };

	need(pipe2(self_pipe, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
	sigaction(SIGCHLD, &a, NULL);
}

static void
run_life(long n, long flight, const char *path, char **argv)
{
	char (*name)[64] = read_names(path, n);
	int dir = open_at(AT_FDCWD, path);
	double began = now();
	long i, k;

	for (k = 0; k < flight; k++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid)
			continue;
		watch_children();
		if (flight > 1)
			count_names(dir, "pending");
		for (i = k; i < n; i += flight)
			run_file(dir, name[i], argv);
		_exit(0);
	}
	for (k = 0; k < flight; k++)
		reap();
	printf("%.6f\n", now() - began);
}

/* Reads the states once, sees that they have not changed, and prints. */
static void
run_status(const char *path)
{
	static const char *const names[] = { "pending", "processing", "failed",
		"done", "dead", "workers" };
	int dir = open_at(AT_FDCWD, path), i, k;
	struct stat st;

	for (k = 0; k < 2; k++) {
		for (i = 0; i < 3; i++)
			need(fstatat(dir, names[i], &st, 0) == 0, names[i]);
		for (i = 0; !k && i < 6; i++)
			count_names(dir, names[i]);
	}
	need(write(1, text, 100) == 100, "write");
}

static void
create(int dir, long i, int sync)
{
	char name[64];
	int fd;

	snprintf(name, sizeof name, "ids/aaa%07ld", i);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	need(fd >= 0, name);
	need(write(fd, text, sizeof text - 1) == sizeof text - 1, "write");
	need(!sync || fsync(fd) == 0, "fsync");
	need(close(fd) == 0, "close");
}

static void
publish(int dir, long i)
{
	char id[64], name[64];

	snprintf(id, sizeof id, "ids/aaa%07ld", i);
	file_name(name, "pending", i);
	need(linkat(dir, id, dir, name, 0) == 0, name);
}

static void
run_enqueue(long n, const char *path, const char *how)
{
	int dir = open_at(AT_FDCWD, path), sync = !strcmp(how, "enqueue");
	double began = now();
	long i, j, end;

	for (i = 0; i < n; i = end) {
		end = i + BATCH < n ? i + BATCH : n;
		for (j = i; j < end; j++)
			create(dir, j, 0);
		need(!sync || syncfs(dir) == 0, "syncfs");
		for (j = i; j < end; j++)
			publish(dir, j);
		if (sync) {
			sync_at(dir, "pending");
			sync_at(dir, "ids");
		}
	}
	printf("%.6f\n", now() - began);
}

static void
run_durable(const char *path)
{
	int dir = open_at(AT_FDCWD, path);
	long i = (long)getpid();

	create(dir, i, 1);
	publish(dir, i);
	sync_at(dir, "pending");
	sync_at(dir, "ids");
	need(write(1, "aaaaaaaaaa\n", 11) == 11, "write");
}

static void
run_readdir(char **path)
{
	unsigned long n = 0;

	for (; *path; path++) {
		DIR *d = opendir(*path);

		need(d != NULL, *path);
		while (readdir(d))
			n++;
		closedir(d);
	}
	printf("%lu\n", n);
}

/* --- latency ------------------------------------------------------------ */

/* spool -1: CMD is started and nothing else. */
static _Noreturn void
run_watch(int spool, const char *path, char **argv)
{
	char news[4096];
	int fd = inotify_init1(IN_CLOEXEC);
	ssize_t n, at;

	need(fd >= 0 && inotify_add_watch(fd, path, IN_CREATE | IN_MOVED_TO) >=
	    0, path);
	if (spool >= 0)
		watch_children();
	for (;;) {
		n = read(fd, news, sizeof news);
		need(n > 0, "read");
		for (at = 0; at < n;) {
			struct inotify_event e;

			memcpy(&e, news + at, sizeof e);
			if (spool >= 0) {
				run_file(spool, news + at + sizeof e, argv);
			} else {
				spawn(argv);
				reap();
			}
			at += (ssize_t)(sizeof e + e.len);
		}
	}
}

static _Noreturn void
run_attend(const char *path, char **argv)
{
	char pending[PATH_MAX];

	snprintf(pending, sizeof pending, "%s/pending", path);
	run_watch(open_at(AT_FDCWD, path), pending, argv);
}

static void
run_stamp(const char *fifo)
{
	double t = now();
	int fd = open(fifo, O_WRONLY);

	need(fd >= 0 && write(fd, &t, sizeof t) == sizeof t, fifo);
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
run_latency(long n, const char *self, const char *path, const char *fifo)
{
	const struct timespec idle = { 0, 10000000 };
	int dir = open_at(AT_FDCWD, path), in = open(fifo, O_RDWR), fd;
	double *took = calloc((size_t)n, sizeof *took), t, began;
	char file[PATH_MAX];
	long i;

	need(in >= 0 && took, fifo);
	for (i = 0; i < n; i++) {
		char id[64], name[64];
		int len;

		snprintf(id, sizeof id, "ids/aaa%07ld", i);
		file_name(name, "pending", i);
		len = snprintf(file, sizeof file, "Queuectl: 1\nArg: %s\n"
		    "Arg: stamp\nArg: %s\n"
		    "Created: 2026-11-24T00:00:00.000000Z\n", self, fifo);
		fd = openat(dir, id, O_WRONLY | O_CREAT | O_EXCL, 0600);
		need(fd >= 0 && write(fd, file, (size_t)len) == len, id);
		close(fd);
		nanosleep(&idle, NULL);
		began = now();
		need(linkat(dir, id, dir, name, 0) == 0, name);
		need(read(in, &t, sizeof t) == sizeof t, fifo);
		took[i] = t - began;
	}
	qsort(took, (size_t)n, sizeof *took, compare);
	printf("%.1f %.1f\n", 1e6 * took[n / 2], 1e6 * took[n * 99 / 100]);
	free(took);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	int r = 0;

	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	need(null >= 0, "/dev/null");
	if (!strcmp(what, "time"))
		r = run_time(argv + 2);
	else if (!strcmp(what, "calls"))
		r = run_calls(argv + 2);
	else if (!strcmp(what, "spawn") && argc > 4)
		run_spawn(number(argv[2]), number(argv[3]), argv + 4);
	else if (!strcmp(what, "spool"))
		make_spool(argv[2]);
	else if (!strcmp(what, "queue") && argc == 4)
		run_queue(number(argv[2]), argv[3]);
	else if (!strcmp(what, "move") && argc == 4)
		run_move(number(argv[2]), argv[3]);
	else if (!strcmp(what, "same") && argc == 4)
		run_same(number(argv[2]), argv[3]);
	else if (!strcmp(what, "life") && argc > 5)
		run_life(number(argv[2]), number(argv[3]), argv[4], argv + 5);
	else if (!strcmp(what, "status"))
		run_status(argv[2]);
	else if (!strcmp(what, "enqueue") && argc == 5)
		run_enqueue(number(argv[2]), argv[3], argv[4]);
	else if (!strcmp(what, "durable"))
		run_durable(argv[2]);
	else if (!strcmp(what, "readdir"))
		run_readdir(argv + 2);
	else if (!strcmp(what, "watch") && argc > 3)
		run_watch(-1, argv[2], argv + 3);
	else if (!strcmp(what, "attend") && argc > 3)
		run_attend(argv[2], argv + 3);
	else if (!strcmp(what, "stamp"))
		run_stamp(argv[2]);
	else if (!strcmp(what, "latency") && argc == 5)
		run_latency(number(argv[2]), argv[0], argv[3], argv[4]);
	else if (!strcmp(what, "switches") && argc > 3)
		run_switches(number(argv[2]), argv + 3);
	else {
		fprintf(stderr, "limit: see the head of limit.c\n");
		r = 2;
	}
	return r;
}
