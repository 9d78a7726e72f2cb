/*
 * storm.c: jobs, pools, and the one that kills.  See storm.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

char storm_mark[4096];

void
storm_sleep(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/*
 * On tmpfs even one append is cut short at the end of a page when its writer
 * is killed.  So each event begins a line of its own, and does not count
 * without its last word.
 */
void
storm_note(char kind, const char *fmt, ...)
{
	struct timespec t;
	char line[512];
	va_list ap;
	int n, fd = open("events", O_WRONLY | O_APPEND | O_CREAT, 0600);

	clock_gettime(CLOCK_MONOTONIC, &t);
	n = snprintf(line, sizeof line, "\n%c %ld.%06ld ", kind,
	    (long)t.tv_sec, t.tv_nsec / 1000);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	n += snprintf(line + n, sizeof line - (size_t)n, " .\n");
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		_exit(99);
	close(fd);
}

size_t
storm_slurp(long pid, const char *what, char *p, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/%s", pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, p, size - 1);
		close(fd);
	}
	p[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* Takes a byte for each slot that the job has, behind those of the jobs. */
static void
take_slots(int fd, long n, const char *id, const char *attempt)
{
	char name[] = "QUEUECTL_LOCK_t0";
	int i;

	for (i = 0; i < 3; i++) {
		struct flock lock = { .l_type = F_WRLCK, .l_len = 1,
			.l_start = 2000000000L + i };

		name[sizeof name - 2] = (char)('0' + i);
		if (!getenv(name) || fcntl(fd, F_SETLK, &lock) == 0)
			continue;
		fcntl(fd, F_GETLK, &lock);
		storm_note('L', "%ld %s %s %ld %ld", n, id, attempt,
		    (long)getpid(), (long)lock.l_pid);
	}
}

/* job N MS FAIL WORKER: a job.  WORKER 0: our parent. */
static int
job(char **arg)
{
	const char *id = getenv("QUEUECTL_ID");
	const char *attempt = getenv("QUEUECTL_ATTEMPT");
	long n = atol(arg[0]), worker = atol(arg[3]);
	char comm[32];
	struct flock lock = { .l_type = F_WRLCK, .l_start = n, .l_len = 1 };
	int fd, code;

	if (!worker)
		worker = getppid();
	/* If it was killed before we could ask, we have another parent. */
	storm_slurp(worker, "comm", comm, sizeof comm);
	if (strcmp(comm, "queuectl\n"))
		worker = 0;
	/* As descriptor 0, which is closed first when we are killed. */
	close(0);
	fd = open("locks", O_RDWR | O_CREAT, 0600);
	if (fd != 0 || !id || !attempt)
		_exit(98);
	storm_note('S', "%ld %s %s %ld %ld", n, id, attempt, (long)getpid(),
	    worker);
	if (fcntl(fd, F_SETLK, &lock) < 0) {
		fcntl(fd, F_GETLK, &lock);
		storm_note('O', "%ld %s %s %ld %ld", n, id, attempt,
		    (long)getpid(), (long)lock.l_pid);
	}
	take_slots(fd, n, id, attempt);
	if (atol(arg[1]))
		storm_sleep(atol(arg[1]));
	code = (n * 7 + getpid()) % 100 < atol(arg[2]);
	storm_note('E', "%ld %s %s %ld %d", n, id, attempt, (long)getpid(), code);
	return code;
}

/* pool CMD...: starts it again and again, until the storm is over. */
static int
pool(char **arg)
{
	char self[32];
	pid_t pid;

	snprintf(self, sizeof self, "%ld", (long)getpid());
	setenv("TORTURE_POOL", self, 1);
	while (access("over", F_OK) < 0) {
		pid = fork();
		if (pid == 0) {
			execv(arg[0], arg);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
		storm_sleep(5);
	}
	return 0;
}

/* The value of a variable in a block of them. */
static const char *
variable(const char *env, size_t n, const char *name)
{
	const char *p = env;
	size_t len = strlen(name);

	for (; p < env + n; p += strlen(p) + 1)
		if (!strncmp(p, name, len) && p[len] == '=')
			return p + len + 1;
	return NULL;
}

enum { JOB, WORKER, SUPERVISOR, POOL, KINDS, NONE };
static const char *const kinds[] = { "job", "worker", "supervisor" };

/* What a process is, if it is one of ours. */
static int
kind_of(long pid, long *parent)
{
	static char env[65536], cmd[4096], stat[1024];
	const char *v;
	long above;
	char *p;
	size_t n = storm_slurp(pid, "environ", env, sizeof env);

	v = variable(env, n, "TORTURE");
	if (!v || strcmp(v, storm_mark))
		return NONE;
	v = variable(env, n, "TORTURE_POOL");
	n = storm_slurp(pid, "cmdline", cmd, sizeof cmd);
	p = cmd + strlen(cmd) + 1;
	if (n < 8 || p >= cmd + n)
		return NONE;
	if (!strcmp(p, "job"))
		return JOB;
	storm_slurp(pid, "stat", stat, sizeof stat);
	if (strcmp(p, "worker") || !(p = strrchr(stat, ')')) ||
	    sscanf(p, ") %*c %ld", parent) != 1 || p[2] == 'Z')
		return NONE;
	/* `worker stop` and the like are no targets */
	if (!v || atol(v) == *parent)
		return v ? SUPERVISOR : NONE;
	/* Nor is a worker's child that is about to exec a job: it would be
	 * counted as a worker, which it is not. */
	n = storm_slurp(*parent, "cmdline", cmd, sizeof cmd);
	p = cmd + strlen(cmd) + 1;
	if (n < 8 || p >= cmd + n || strcmp(p, "worker"))
		return WORKER;
	storm_slurp(*parent, "stat", stat, sizeof stat);
	return (p = strrchr(stat, ')')) && sscanf(p, ") %*c %ld", &above) ==
	    1 && above == atol(v) ? WORKER : NONE;
}

/* Kills that process, and no other that has got its number since. */
static int
strike(long pid, int kind)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	long parent;

	if (fd < 0)
		return -1;
	if (kind_of(pid, &parent) == kind) {
		storm_note('K', "%ld %s", pid, kinds[kind]);
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	}
	close(fd);
	return 0;
}

/* storm SEED: until it is over. */
static int
storm(char **arg)
{
	static struct { long pid, parent; int kind; } v[512];
	unsigned seed = (unsigned)atol(arg[0]);

	while (access("over", F_OK) < 0) {
		static const int odds[] = { 55, 32, 8, 5 };
		int roll, want, n = 0, i;
		DIR *dir;
		struct dirent *e;

		storm_sleep(rand_r(&seed) % 160);
		roll = rand_r(&seed) % 100;
		for (want = JOB; roll >= odds[want]; want++)
			roll -= odds[want];
		dir = opendir("/proc");
		while (dir && (e = readdir(dir))) {
			long pid = atol(e->d_name);

			if (pid <= 0 || pid == getpid() || n == 512)
				continue;
			v[n].kind = kind_of(pid, &v[n].parent);
			v[n].pid = pid;
			n += v[n].kind != NONE;
		}
		closedir(dir);
		roll = rand_r(&seed);
		if (!n)
			continue;
		for (i = 0; i < n; i++) {
			int k = (i + roll) % n;

			if (v[k].kind != (want == POOL ? SUPERVISOR : want))
				continue;
			strike(v[k].pid, v[k].kind);
			roll = (int)v[k].pid;
			break;
		}
		for (i = 0; want == POOL && i < n; i++)
			if (v[i].kind == WORKER && v[i].parent == roll)
				strike(v[i].pid, WORKER);
	}
	return 0;
}

/* end DIR: ends all that is left and says how many that were. */
static int
end(void)
{
	static char env[65536];
	int tries, left = 0, first = -1;

	for (tries = 0; tries < 200; tries++) {
		DIR *dir = opendir("/proc");
		struct dirent *e;

		left = 0;
		while (dir && (e = readdir(dir))) {
			long pid = atol(e->d_name);
			const char *v;
			int fd;

			if (pid <= 0 || pid == getpid())
				continue;
			fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
			v = variable(env, storm_slurp(pid, "environ", env,
			    sizeof env), "TORTURE");
			if (v && !strcmp(v, storm_mark)) {
				left++;
				syscall(SYS_pidfd_send_signal, fd, SIGKILL,
				    NULL, 0);
			}
			close(fd);
		}
		closedir(dir);
		if (first < 0)
			first = left;
		if (!left)
			break;
		storm_sleep(20);
	}
	printf("%d\n", first);
	return left != 0;
}

int
main(int argc, char **argv)
{
	const char *dir = getenv("TORTURE");

	if (argc > 2 && !strcmp(argv[1], "end"))
		dir = argv[2];
	if (argc < 3 || !dir || chdir(dir) < 0)
		return 97;
	snprintf(storm_mark, sizeof storm_mark, "%s", dir);
	if (!strcmp(argv[1], "job") && argc == 6)
		return job(argv + 2);
	if (!strcmp(argv[1], "enqueuer") && argc == 7)
		return storm_enqueuer(argv + 2);
	if (!strcmp(argv[1], "one") && argc == 5)
		return storm_one(argv + 2);
	if (!strcmp(argv[1], "pool"))
		return pool(argv + 2);
	if (!strcmp(argv[1], "storm"))
		return storm(argv + 2);
	if (!strcmp(argv[1], "end"))
		return end();
	return 97;
}
