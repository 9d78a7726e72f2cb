/*
 * check_worker.c: what a pool makes of its surroundings, where sh cannot set
 * them up, and how many candidates it can hold.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/file.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "holds.h"
#include "suite.h"
#include "worker/pool.h"

static char gate[200]; /* a command that waits for dir/go */

static void
set(const char *key, const char *value)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key(key), value),
	    SPOOL_OK);
}

static void
setup(void)
{
	holds_make_dir(dir);
	snprintf(path, sizeof path, "%s/spool", dir);
	ck_assert_int_eq(spool_open(&sp, path, true), SPOOL_OK);
	set("sync", "none");
	snprintf(gate, sizeof gate, "until [ -e %s/go ]; do sleep 0.02; done",
	    dir);
}

static void
teardown(void)
{
	spool_close(&sp);
	holds_remove_dir(dir);
}

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* n jobs of a command, that are due at the time, or at once (0). */
static void
enqueue_priority(size_t n, const char *prefix, int64_t run_at,
    const char *command, int priority)
{
	const char *argv[] = { "sh", "-c", command, NULL };
	struct spool_batch b = { .spool = &sp, .bulk = true };
	size_t i;

	for (i = 0; i < n; i++) {
		char id[JOB_ID_MAX + 1];
		struct job job;

		snprintf(id, sizeof id, "%s%zu", prefix, i);
		holds_fill(&job, id, now_us());
		job.command = NULL;
		job.argv = argv;
		job.argc = 3;
		job.run_at = run_at ? run_at : -1;
		job.priority = priority;
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	}
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	spool_batch_free(&b);
}

static void
enqueue_command(size_t n, const char *prefix, int64_t run_at,
    const char *command)
{
	enqueue_priority(n, prefix, run_at, command, 5);
}

static void
enqueue(size_t n, const char *prefix, int64_t run_at)
{
	enqueue_command(n, prefix, run_at, "true");
}

/* At least n entries, in time. */
static void
await(const char *what, size_t n)
{
	int i;

	for (i = 0; i < 2000 && holds_count(path, what) < n; i++)
		usleep(10000);
	ck_assert_uint_ge(holds_count(path, what), n);
}

/* Few, so that few jobs are more than a worker keeps. */
enum { READY = 64, TIMED = 16 };

/* Holds the lock of a pending job, until the result is closed. */
static int
hold(const char *id)
{
	char file[JOB_NAME_MAX + 1], at[400];
	enum job_state state;
	struct job_name name;
	int fd;

	ck_assert_int_eq(spool_find(&sp, id, &state, &name), SPOOL_OK);
	job_name_format(file, &name);
	snprintf(at, sizeof at, "%s/pending/%s", path, file);
	ck_assert_int_ge(fd = open(at, O_RDONLY | O_CLOEXEC), 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	return fd;
}

/* When the job began, that ran once. */
static int64_t
started(const char *id)
{
	enum job_state state;
	struct job_name name;
	struct job job;
	int64_t at;

	ck_assert_int_eq(spool_find(&sp, id, &state, &name), SPOOL_OK);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 1);
	at = job.attempt[0].start;
	job_free(&job);
	return at;
}

/* A pool that drains, in a process of its own. */
static pid_t
start(int count, const sigset_t *blocked)
{
	struct worker_options o = { .count = count, .drain = true,
		.ready = READY, .timed = TIMED };
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (blocked)
			sigprocmask(SIG_BLOCK, blocked, NULL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		_exit(worker_pool(&sp, &o) < 0);
	}
	return pid;
}

/* It must end in time. */
static void
ends(pid_t pid, int seconds)
{
	int status = -1, i;

	for (i = 0; i < seconds * 50; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		usleep(20000);
	}
	if (i == seconds * 50)
		kill(pid, SIGKILL);
	ck_assert_int_eq(status, 0);
}

START_TEST(minds_no_inherited_mask)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	enqueue(3, "j", 0);
	ends(start(1, &set), 20);
	ck_assert_uint_eq(holds_count(path, "done"), 3);
}
END_TEST

/* More deadlines than a worker holds: the rest is not forgotten. */
START_TEST(wakes_for_a_deadline_it_did_not_keep)
{
	int64_t late = now_us() + 2500000;

	enqueue(TIMED + 6, "early", late - 1500000);
	enqueue(1, "late", late);
	ends(start(2, NULL), 40);
	ck_assert_uint_eq(holds_count(path, "done"), TIMED + 7);
	ck_assert_int_ge(started("late0"), late);
}
END_TEST

/* More candidates than a worker holds, and in order; so is what comes last,
 * although there is room for it when it comes. */
START_TEST(runs_all_of_a_long_queue_in_order)
{
	int64_t last = 0, at;
	char id[24];
	pid_t pid;
	int i;

	enqueue(3 * READY, "j", 0);
	pid = start(1, NULL);
	for (i = 0; i < 3000 && holds_count(path, "done") < 3; i++)
		usleep(1000);
	enqueue(1, "last", 0);
	ends(pid, 60);
	ck_assert_uint_eq(holds_count(path, "done"), 3 * READY + 1);
	for (i = 0; i <= 3 * READY; i++) {
		if (i < 3 * READY)
			snprintf(id, sizeof id, "j%d", i);
		else
			strcpy(id, "last0");
		ck_assert_int_gt(at = started(id), last);
		last = at;
	}
}
END_TEST

/* An id can be long; fewer of the candidates have room then. */
START_TEST(runs_long_ids)
{
	char prefix[JOB_ID_MAX];
	int i;

	memset(prefix, 'i', sizeof prefix);
	for (i = 1; i <= 4; i++) {
		prefix[15 * i] = '\0';
		enqueue(READY, prefix, 0);
		prefix[15 * i] = 'i';
	}
	ends(start(2, NULL), 60);
	ck_assert_uint_eq(holds_count(path, "done"), 4 * READY);
}
END_TEST

/* Makes files of jobs that nobody may run. */
static void
forbid(const char *prefix, int n)
{
	char at[300];

	while (n-- > 0) {
		snprintf(at, sizeof at, "%s/ids/%s%d", path, prefix, n);
		ck_assert_int_eq(unlink(at), 0);
		ck_assert_int_eq(symlink("other", at), 0);
	}
}

/* What the gated jobs wait for. */
static void
go(void)
{
	char at[300];
	int fd;

	snprintf(at, sizeof at, "%s/go", dir);
	ck_assert_int_ge(fd = open(at, O_WRONLY | O_CREAT, 0600), 0);
	close(fd);
}

/* They are more than the candidates are, and older. */
START_TEST(sees_behind_what_is_refused)
{
	enqueue(2 * READY + 2, "alien", 0);
	enqueue(READY, "good", 0);
	forbid("alien", 2 * READY + 2);
	ends(start(3, NULL), 60);
	ck_assert_uint_eq(holds_count(path, "done"), READY);
	ck_assert_uint_eq(holds_count(path, "pending"), 2 * READY + 2);
}
END_TEST

/* More than are kept cannot be claimed, for a while. */
START_TEST(tries_again_what_was_busy)
{
	enum { N = 3 * READY };
	char id[24];
	int fd[N], i;
	pid_t pid;

	enqueue(N, "busy", 0);
	enqueue(8, "free", 0);
	set("paused", "yes");
	pid = start(1, NULL); /* first, not to share the locks */
	for (i = 0; i < N; i++) {
		snprintf(id, sizeof id, "busy%d", i);
		fd[i] = hold(id);
	}
	set("paused", "no");
	await("done", 8); /* which come last: it has tried them all */
	for (i = 0; i < N; i++)
		close(fd[i]);
	ends(pid, 20);
	ck_assert_uint_eq(holds_count(path, "done"), N + 8);
}
END_TEST

/* More news than a worker keeps, which are better than what was refused. */
START_TEST(sees_before_what_is_refused)
{
	pid_t pid;

	enqueue_command(1, "first", 0, gate);
	enqueue(1, "alien", 0);
	forbid("alien", 1);
	pid = start(3, NULL);
	await("processing", 1);
	enqueue_priority(8 * TIMED, "news", 0, "true", 3);
	await("done", 8 * TIMED);
	go();
	ends(pid, 20);
}
END_TEST

/* More urgent news than a worker keeps: the list waits for all of them. */
START_TEST(runs_all_urgent_news_first)
{
	int64_t last = 0, at;
	char id[24];
	pid_t pid;
	int i;

	enqueue_priority(1, "first", 0, gate, 0);
	enqueue(READY / 2, "low", 0);
	pid = start(1, NULL);
	await("processing", 1);
	enqueue_priority(3 * TIMED, "urgent", 0, "true", 1);
	go();
	ends(pid, 60);
	for (i = 0; i < 3 * TIMED + READY / 2; i++) {
		snprintf(id, sizeof id, "%s%d", i < 3 * TIMED ? "urgent" :
		    "low", i < 3 * TIMED ? i : i - 3 * TIMED);
		ck_assert_int_gt(at = started(id), last);
		last = at;
	}
}
END_TEST

#ifdef __linux__
/* How often the directory was opened that `watch` looks at. */
static size_t
openings(int watch)
{
	char bytes[4096];
	ssize_t n, at;
	size_t times = 0;

	while ((n = read(watch, bytes, sizeof bytes)) > 0)
		for (at = 0; at < n;) {
			struct inotify_event e;

			memcpy(&e, bytes + at, sizeof e);
			ck_assert_int_eq(e.mask & IN_Q_OVERFLOW, 0);
			times += !e.len; /* itself, and no file in it */
			at += (ssize_t)(sizeof e + e.len);
		}
	return times;
}

/* However many the workers are: their candidates come from one reading. */
START_TEST(reads_once_for_all_workers)
{
	enum { COUNT = 8, LISTS = 20 };
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), i;
	size_t times = 0;
	char at[300];
	pid_t pid;

	ck_assert_int_ge(watch, 0);
	enqueue(LISTS * READY, "j", 0);
	snprintf(at, sizeof at, "%s/pending", path);
	ck_assert_int_ge(inotify_add_watch(watch, at, IN_OPEN), 0);
	pid = start(COUNT, NULL);
	for (i = 0; i < 6000 &&
	    holds_count(path, "done") < LISTS * READY; i++) {
		usleep(10000);
		times += openings(watch);
	}
	ends(pid, 60);
	ck_assert_uint_eq(holds_count(path, "done"), LISTS * READY);
	ck_assert_uint_ge(times, LISTS);
	/* some at the start, to see what there is to recover and to run */
	ck_assert_uint_le(times, 2 * LISTS + 2 * COUNT);
	close(watch);
}
END_TEST

/* The pids of the workers, from the pool's file. */
static size_t
workers(long pid[], size_t most)
{
	char at[600], line[1000];
	DIR *d;
	struct dirent *e;
	size_t n = 0;
	FILE *f;

	snprintf(at, sizeof at, "%s/workers", path);
	ck_assert_ptr_nonnull(d = opendir(at));
	while ((e = readdir(d))) {
		snprintf(at, sizeof at, "%s/workers/%s", path, e->d_name);
		if (e->d_name[0] == '.' || strstr(e->d_name + 1, ".") ||
		    !(f = fopen(at, "r")))
			continue;
		while (n < most && fgets(line, sizeof line, f)) {
			const char *p = strstr(line, " pid=");

			if (p && (pid[n] = atol(p + 5)) > 1)
				n++;
		}
		fclose(f);
	}
	closedir(d);
	return n;
}

/* A worker that dies may have taken a name that it has not claimed yet. */
START_TEST(misses_nothing_of_a_dead_worker)
{
	enum { N = 60 * READY, TIMES = 12 };
	int64_t until = now_us() + 30000000;
	long pid[4];
	size_t n, i, killed = 0;
	pid_t pool;

	set("max-retries", "100");
	set("backoff-base", "1");
	set("backoff-max", "1");
	enqueue(N, "j", 0);
	pool = start(4, NULL);
	while (killed < TIMES && now_us() < until) {
		n = workers(pid, 4);
		for (i = 0; i < n && killed < TIMES; i++)
			killed += !kill((pid_t)pid[i], SIGKILL);
		usleep(20000);
	}
	ck_assert_uint_eq(killed, TIMES);
	ends(pool, 60);
	ck_assert_uint_eq(holds_count(path, "done") +
	    holds_count(path, "dead"), N);
}
END_TEST
#endif

/* News of all kinds, while lists are used up and made: what is missed is found
 * a minute later. */
START_TEST(misses_no_news)
{
	enum { ROUNDS = 60, BATCH = 20 };
	unsigned seed = (unsigned)time(NULL), first = seed;
	struct job job;
	char id[40];
	pid_t pool;
	int i, k;

	enqueue_command(1, "first", 0, gate);
	enqueue(2 * READY, "j", 0);
	pool = start(6, NULL);
	for (i = 0; i < ROUNDS; i++) {
		struct spool_batch b = { .spool = &sp, .bulk = true };

		for (k = 0; k < BATCH; k++) {
			snprintf(id, sizeof id, "n%d-%d", i, k);
			holds_fill(&job, id, now_us());
			seed = seed * 1103515245 + 12345;
			job.priority = (int)(seed >> 16) % 10;
			if (seed >> 27 & 1)
				job.run_at = now_us() + (seed >> 8) % 300000;
			ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
		}
		ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
		spool_batch_free(&b);
		usleep((seed >> 12) % 6000);
	}
	go();
	ends(pool, 30);
	ck_assert_msg(holds_count(path, "done") == 1 + 2 * READY +
	    ROUNDS * BATCH, "seed %u", first);
}
END_TEST

/* Whoever tries a job tells the others of the pool, so that they pass it over;
 * not for long, where it can only be claimed later.  Its worker has found
 * something else to do. */
START_TEST(forgets_no_job_that_was_held)
{
	pid_t pid;
	int fd;

	enqueue_command(1, "first", 0, gate);
	pid = start(4, NULL);
	await("processing", 1);
	/* all of them see what comes before any may try it */
	set("paused", "yes");
	enqueue(1, "held", 0);
	fd = hold("held0");
	enqueue_command(2, "more", 0, gate);
	set("paused", "no");
	await("processing", 3);
	close(fd);
	await("done", 1);
	go();
	ends(pid, 20);
	ck_assert_uint_eq(holds_count(path, "done"), 4);
}
END_TEST

/* What the pool tells its service manager, all in one. */
static void
notified(const char *name, char said[1000])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(name));
	char bytes[200];
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	memcpy(a.sun_path, name, strlen(name));
	if (*name == '@')
		a.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (void *)&a, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	ends(start(2, NULL), 20);
	unsetenv("NOTIFY_SOCKET");
	said[0] = '\0';
	while ((n = recv(fd, bytes, sizeof bytes - 2, MSG_DONTWAIT)) > 0) {
		bytes[n] = '|';
		bytes[n + 1] = '\0';
		strcat(said, bytes);
	}
	close(fd);
}

START_TEST(notifies_the_service_manager)
{
	char said[1000], name[120];

	snprintf(name, sizeof name, "%s/notify", dir);
	enqueue(1, "a", 0);
	notified(name, said);
	ck_assert_str_eq(said, "READY=1\nSTATUS=2 workers|"
	    "STOPPING=1\nSTATUS=nothing left to do|");
	snprintf(name, sizeof name, "@queuectl-%ld", (long)getpid());
	enqueue(1, "b", 0);
	notified(name, said);
	ck_assert_str_eq(said, "READY=1\nSTATUS=2 workers|"
	    "STOPPING=1\nSTATUS=nothing left to do|");
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "worker", .setup = setup, .teardown = teardown,
		.seconds = 100
	};
	const struct suite_test tests[] = {
		{ minds_no_inherited_mask, 0 },
		{ wakes_for_a_deadline_it_did_not_keep, 0 },
		{ runs_all_of_a_long_queue_in_order, 0 },
		{ runs_long_ids, 0 },
		{ sees_behind_what_is_refused, 0 },
		{ tries_again_what_was_busy, 0 },
		{ sees_before_what_is_refused, 0 },
		{ runs_all_urgent_news_first, 0 },
#ifdef __linux__
		{ reads_once_for_all_workers, 0 },
		{ misses_nothing_of_a_dead_worker, 0 },
#endif
		{ misses_no_news, 0 },
		{ forgets_no_job_that_was_held, 0 },
		{ notifies_the_service_manager, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
