/*
 * check_crash.c: every step of a job's life, ended at every call.
 *
 * For each operation of steps.h and each n: a process carries it out and dies
 * in place of its nth call that changes a file (also in the middle of a
 * write).  Then another process recovers, and the contract must hold:
 *
 *   - each acknowledged job is in exactly one state, its text parses, and
 *     ids/ID is the same file;
 *   - a job whose end was reported does not run again;
 *   - an entry of ids/ without a job can be used again;
 *   - the queue can be drained.
 *
 * The same is done with the call failing (ENOSPC, EIO, …) instead, with malloc
 * returning NULL, and with a call failing that only looks (stat, read,
 * readdir).  Then the error is named, nothing is half-done, no descriptor is
 * leaked, and the operation succeeds when it is repeated.
 *
 * The number of points tried is printed for each.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "fault.h"
#include "holds.h"
#include "steps.h"
#include "suite.h"

/* HIT, MISSED: the exit status of a process whose nth call failed, or which
 * made fewer calls.  An assertion that fails exits with 1. */
enum { POINTS_MAX = 400, HIT = 10, MISSED = 11 };

static int
open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 32; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* After a call has failed: the error is named, nothing is left behind, and the
 * operation can be repeated. */
static void
after_error(const struct operation *o, const char *when, int r, int e, int fds)
{
	bool enqueues = !strncmp(o->name, "enqueue", 7);

	if (r == SPOOL_LOCKED) /* a slot that cannot be opened is not free */
		r = SPOOL_BUSY;
	ck_assert_msg(r == SPOOL_ERROR || r == SPOOL_OK || r == SPOOL_BUSY ||
	    (r == SPOOL_REFUSED && (fault.error == EACCES ||
	    ((o->traits & STEP_MAKES) && (!strcmp(fault.hit, "flock") ||
	    fault.error == EMLINK)))),
	    "%s: result %d", when, r);
	if (r == SPOOL_OK || r == SPOOL_REFUSED)
		return; /* it was not needed; a file that may not be read,
		        * a file system without flock */
	/* A lock that fails counts as busy; else errno is what was injected. */
	ck_assert_msg(r == SPOOL_BUSY || e == fault.error, "%s: errno %d",
	    when, e);
	ck_assert_msg(r == SPOOL_BUSY || sp.at[0] || fault.error == ENOMEM ||
	    !strcmp(fault.hit, "syncfs") || !strcmp(fault.hit, "flock") ||
	    !strcmp(fault.hit, "fsync") || !strcmp(fault.hit, "open") ||
	    !strcmp(fault.hit, "mkdirat"),
	    "%s: names nothing", when);
	/* once ids/ is open it stays open */
	ck_assert_msg(open_fds() <= fds + (sp.ids >= 0), "%s: leaks", when);
	if (enqueues)
		ck_assert_msg(holds_count(path, "pending") == 0, "%s: half-done", when);
	if (enqueues && !o->setup)
		ck_assert_msg(holds_count(path, "ids") == 0, "%s: left an id", when);
	if (o->traits & STEP_ADDS)
		ck_assert_msg(bed_links("k") == 0, "%s: left an id", when);
	r = o->act();
	ck_assert_msg(r == SPOOL_OK ||
	    (r == SPOOL_WRONG_STATE && (o->traits & STEP_ONCE)),
	    "%s: cannot be repeated: %d", when, r);
	if (o->traits & STEP_ENDS) {
		struct job_name name;
		enum job_state state;
		struct job job;

		ck_assert_int_eq(spool_find(&sp, "j0", &state, &name),
		    SPOOL_OK);
		ck_assert_int_eq(spool_load(&sp, state, &name, &job),
		    SPOOL_OK);
		ck_assert_msg(job.nattempt == 1, "%s: %zu lines", when,
		    job.nattempt);
		job_free(&job);
	}
}

/* After a call that only looks has failed: no descriptor is leaked, and an
 * operation that was not done can be repeated. */
static void
after_look(const struct operation *o, const char *when, int r, int e, int fds)
{
	ck_assert_msg(r != SPOOL_ERROR || e == fault.error, "%s: errno %d",
	    when, e);
	/* "" means the spool itself */
	ck_assert_msg(r != SPOOL_ERROR || sp.at[0] || (o->traits & STEP_MAKES),
	    "%s: names nothing", when);
	if (r == SPOOL_OK)
		return;
	ck_assert_msg(open_fds() <= fds + (sp.ids >= 0), "%s: leaks (%s)",
	    when, fault.hit);
	r = o->act();
	ck_assert_msg(r == SPOOL_OK ||
	    (r == SPOOL_WRONG_STATE && (o->traits & STEP_ONCE)),
	    "%s: cannot be repeated: %d", when, r);
}

/* The process that carries the operation out. */
static _Noreturn void
perform(const struct operation *o, const char *when, const struct fault *f)
{
	int fds, r, e;

	ck_assert_int_eq(spool_open(&sp, path, true), SPOOL_OK);
	if (o->setup)
		o->setup();
	fds = open_fds() - (steps_claimed.fd > 2) - (sp.ids >= 0);
	fault = *f;
	fault.armed = true;
	errno = 0;
	r = o->act();
	e = errno;
	fault.armed = false;
	if (f->kind == FAULT_LOOKS)
		after_look(o, when, r, e, fds + (steps_claimed.fd > 2));
	else if (f->mode == FAULT_ERROR)
		after_error(o, when, r, e, fds + (steps_claimed.fd > 2));
	else
		ck_assert_msg(r == SPOOL_OK, "%s: result %d", when, r);
	if (o->traits & STEP_PURGES)
		steps_ack('-', "j0");
	_exit(fault.count < f->at ? MISSED : HIT);
}

/* Tries one point.  Returns false if there are fewer points than that. */
static bool
try_point(const struct operation *o, const struct fault *f, const char *how)
{
	char when[120], told[4096];
	int p[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	snprintf(when, sizeof when, "%s, call %d, %s", o->name, f->at, how);
	holds_make_dir(dir);
	snprintf(path, sizeof path, "%s/spool", dir);
	now = INT64_C(1764000000000000);
	ck_assert_int_eq(pipe(p), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		steps_begin(p[1]);
		perform(o, when, f);
	}
	close(p[1]);
	while ((got = read(p[0], told + n, sizeof told - 1 - n)) > 0)
		n += (size_t)got;
	told[n] = '\0';
	close(p[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == HIT ||
	    WEXITSTATUS(status) == MISSED ||
	    WEXITSTATUS(status) == FAULT_EXIT), "%s: status %x", when, status);
	/* A purge that died may or may not have happened. */
	if ((o->traits & STEP_PURGES) && WEXITSTATUS(status) == FAULT_EXIT)
		strcat(told, "-j0\n");
	now += INT64_C(3600000000) * 24;
	holds(path, now, when, told);
	holds_remove_dir(dir);
	return WEXITSTATUS(status) != MISSED;
}

static int
walk(const struct operation *o, struct fault f, const char *how)
{
	for (f.at = 1; f.at < POINTS_MAX; f.at++)
		if (!try_point(o, &f, how))
			break;
	ck_assert_msg(f.at > 1 || f.kind == FAULT_LOOKS ||
	    (o->traits & STEP_LOOKS), "%s: no call at all", o->name);
	ck_assert_int_lt(f.at, POINTS_MAX);
	return f.at - 1;
}

START_TEST(dies_at_every_call)
{
	const struct operation *o = &operations[_i];
	int n = walk(o, (struct fault){ .mode = FAULT_DIE }, "dies") +
	    walk(o, (struct fault){ .mode = FAULT_TEAR }, "dies halfway");

	printf("crash points: %s: %d\n", o->name, n);
}
END_TEST

START_TEST(fails_at_every_call)
{
	static const int errors[] = { ENOSPC, EIO, EDQUOT, EMFILE, EMLINK,
		EINTR, EACCES };
	const struct operation *o = &operations[_i];
	size_t i;
	int n = 0;

	for (i = 0; i < sizeof errors / sizeof errors[0]; i++)
		n += walk(o, (struct fault){ .mode = FAULT_ERROR,
		    .error = errors[i] }, strerror(errors[i]));
	printf("error points: %s: %d\n", o->name, n);
}
END_TEST

START_TEST(fails_at_every_look)
{
	static const int errors[] = { EIO, EINTR };
	const struct operation *o = &operations[_i];
	struct fault f = { .mode = FAULT_ERROR, .kind = FAULT_LOOKS };
	size_t i;
	int n = 0;

	for (i = 0; i < sizeof errors / sizeof errors[0]; i++) {
		/* of these calls only pread can be interrupted */
		if (errors[i] == EINTR && !(o->traits & STEP_READS))
			continue;
		f.error = errors[i];
		n += walk(o, f, strerror(errors[i]));
	}
	printf("error points of looking: %s: %d\n", o->name, n);
}
END_TEST

START_TEST(fails_at_every_allocation)
{
	const struct operation *o = &operations[_i];
	struct fault f = { .mode = FAULT_ERROR, .error = ENOMEM,
		.kind = FAULT_MEMORY };
	int n = 0;

	for (f.at = 1; try_point(o, &f, "no memory"); f.at++)
		n++;
	printf("allocation points: %s: %d\n", o->name, n);
}
END_TEST

int
main(void)
{
	static const struct suite suite = { .name = "crash", .seconds = 600 };
	/* two cases of about the same length, for two lanes */
	const struct suite_test errors[] = {
		{ fails_at_every_call, operations_count },
		{ NULL, 0 }
	}, others[] = {
		{ dies_at_every_call, operations_count },
		{ fails_at_every_look, operations_count },
		{ fails_at_every_allocation, operations_count },
		{ NULL, 0 }
	};

	return suite_run_two(&suite, "errors", errors, "others", others);
}
