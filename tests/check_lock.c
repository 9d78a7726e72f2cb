/*
 * check_lock.c: named locks on disk: who has a slot, and what is left of it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bed.h"
#include "spool/lock.h"
#include "spool/waiting.h"
#include "suite.h"

/* Enqueues a job with up to four locks, in that order. */
static int
enqueue(const char *id, const char *a, const char *b, const char *c)
{
	const char *lock[] = { a, b, c };
	struct spool_batch batch = { .spool = &sp };
	struct job job;
	int r;

	bed_fill(&job, id, "true");
	while (job.lock.n < 3 && lock[job.lock.n])
		job.lock.n++;
	job.lock.v = lock;
	r = spool_stage(&batch, &job);
	if (r == SPOOL_OK)
		r = spool_publish(&batch);
	spool_batch_free(&batch);
	return r;
}

static void
has(const char *lock, size_t slots, size_t taken)
{
	struct spool_lock look;

	ck_assert_int_eq(spool_lock_look(&sp, lock, &look), SPOOL_OK);
	ck_assert_uint_eq(look.slots, slots);
	ck_assert_uint_eq(look.taken, taken);
}

static void
set(const char *lock, size_t slots)
{
	struct spool_lock look;

	ck_assert_int_eq(spool_lock_set(&sp, lock, slots, &look), SPOOL_OK);
}

static void
end(struct spool_claim *c)
{
	const struct job_attempt a = bed_attempt(c, JOB_EXIT, 0);
	struct job_name next;
	enum job_state to;

	ck_assert_int_eq(spool_finish(&sp, c, &a, &to, &next), SPOOL_OK);
	ck_assert_str_eq(next.locks, c->name.locks);
}

static int
access_of(const char *file)
{
	char p[200];

	snprintf(p, sizeof p, "%s/%s", path, file);
	return access(p, F_OK);
}

START_TEST(one_at_a_time)
{
	struct spool_claim a, b, c;

	bed_enqueue("plain");
	ck_assert_int_ne(access_of("locks"), 0); /* nothing is paid for it */
	enqueue("a", "x", NULL, NULL);
	enqueue("b", "y", "x", NULL);
	enqueue("c", "y", NULL, NULL);
	has("x", 1, 0);
	ck_assert_int_eq(bed_claim("a", &a), SPOOL_OK);
	ck_assert_uint_eq(a.nlock, 1);
	ck_assert_str_eq(a.lock[0].slot, "1");
	has("x", 1, 1);
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_LOCKED);
	ck_assert_uint_eq(b.busy, 0); /* in the order of their names */
	ck_assert_int_eq(bed_state_of("b"), JOB_PENDING);
	has("y", 1, 0);
	end(&a);
	has("x", 1, 0);
	ck_assert_int_eq(bed_claim("c", &c), SPOOL_OK);
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_LOCKED);
	ck_assert_uint_eq(b.busy, 1);
	has("x", 1, 0); /* it let go of this one again */
	spool_release(&c);
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_OK);
	ck_assert_uint_eq(b.nlock, 2);
	end(&b);
	has("x", 1, 0);
	has("y", 1, 0);
}
END_TEST

START_TEST(as_many_as_slots)
{
	struct spool_claim c[4];
	char id[2] = "a";
	int i, k;

	set("s", 3);
	for (i = 0; i < 4; i++, id[0]++)
		enqueue(id, "s", NULL, NULL);
	for (i = 0, id[0] = 'a'; i < 3; i++, id[0]++) {
		ck_assert_int_eq(bed_claim(id, &c[i]), SPOOL_OK);
		for (k = 0; k < i; k++)
			ck_assert_str_ne(c[k].lock[0].slot, c[i].lock[0].slot);
	}
	ck_assert_int_eq(bed_claim("d", &c[3]), SPOOL_LOCKED);
	has("s", 3, 3);
	end(&c[1]);
	ck_assert_int_eq(bed_claim("d", &c[3]), SPOOL_OK);
	ck_assert_str_eq(c[1].lock[0].slot, c[3].lock[0].slot);
	end(&c[0]);
	end(&c[2]);
	end(&c[3]);
	has("s", 3, 0);
}
END_TEST

/* The only free one of many is found. */
START_TEST(many_slots)
{
	struct spool_claim c;
	char p[200];
	int i, fd[201];

	set("s", 10000);
	has("s", 10000, 0);
	set("s", 200);
	has("s", 200, 0);
	for (i = 1; i <= 200; i++) {
		snprintf(p, sizeof p, "%s/locks/s/%d", path, i);
		fd[i] = open(p, O_RDONLY | O_CLOEXEC);
		ck_assert_int_eq(flock(fd[i], LOCK_EX), 0);
	}
	enqueue("a", "s", NULL, NULL);
	has("s", 200, 200);
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_LOCKED);
	close(fd[137]);
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_str_eq(c.lock[0].slot, "137");
	end(&c);
	for (i = 1; i <= 200; i++)
		if (i != 137)
			close(fd[i]);
}
END_TEST

/* What cannot be a slot is passed over, and told. */
START_TEST(strange_files)
{
	struct spool_claim c, d;
	struct spool_lock look;

	set("s", 1);
	enqueue("a", "s", NULL, NULL);
	enqueue("b", "s", NULL, NULL);
	bed_shell("cd locks/%s && mkdir dir && mkfifo fifo && ln -s 1 link && "
	    ": >.hidden && : >a~", "s");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(bed_claim("b", &d), SPOOL_LOCKED);
	ck_assert_int_eq(spool_lock_look(&sp, "s", &look), SPOOL_OK);
	ck_assert_uint_eq(look.alien, 5);
	ck_assert_uint_eq(look.slots, 1);
	/* a device's name is a slot's */
	bed_shell("touch locks/%s/ttyS0", "s");
	ck_assert_int_eq(bed_claim("b", &d), SPOOL_OK);
	ck_assert_str_eq(d.lock[0].slot, "ttyS0");
	ck_assert_int_eq(spool_lock_set(&sp, "s", 0, &look),
	    SPOOL_WRONG_STATE);
	end(&c);
	end(&d);
}
END_TEST

/* A slot that is removed while a job has it. */
START_TEST(removed_slots)
{
	struct spool_claim a, b;
	char lock[JOB_LOCK_MAX + 1];

	enqueue("a", "s", NULL, NULL);
	enqueue("b", "s", NULL, NULL);
	ck_assert(!spool_lock_closed(&sp, "+s", lock));
	ck_assert_int_eq(bed_claim("a", &a), SPOOL_OK);
	set("s", 0);
	has("s", 0, 0);
	ck_assert(spool_lock_closed(&sp, "+s", lock));
	ck_assert_str_eq(lock, "s");
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_LOCKED);
	/* an enqueue does not open a lock that a person closed */
	enqueue("c", "s", NULL, NULL);
	has("s", 0, 0);
	set("s", 1);
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_OK);
	end(&a);
	has("s", 1, 1);
	end(&b);
	bed_shell("rm -r locks/%s", "s");
	ck_assert_int_eq(bed_claim("c", &b), SPOOL_LOCKED);
	ck_assert(spool_lock_closed(&sp, "+s", lock));
}
END_TEST

/* The job's process has the slot until it ends, whatever becomes of the
 * worker. */
START_TEST(the_child_keeps_it)
{
	struct spool_claim a, b;
	int hold[2];
	pid_t pid;
	char byte;

	enqueue("a", "s", NULL, NULL);
	enqueue("b", "s", NULL, NULL);
	ck_assert_int_eq(pipe(hold), 0);
	ck_assert_int_eq(bed_claim("a", &a), SPOOL_OK);
	pid = fork();
	if (!pid) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	/* as the kernel does when it kills the worker */
	close(a.lock[0].fd);
	close(a.lock[0].end);
	close(a.fd);
	a.nlock = 0;
	a.fd = -1;
	spool_release(&a);
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_LOCKED);
	close(hold[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_eq(bed_claim("b", &b), SPOOL_OK);
	/* and what it leaves behind has nothing, once the worker lets go */
	ck_assert_int_eq(pipe(hold), 0);
	pid = fork();
	if (!pid) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) != 0);
	}
	end(&b);
	has("s", 1, 0);
	close(hold[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

static void
keep_result(void *arg, int result, void *job)
{
	(void)job;
	*(int *)arg = result;
}

/* Every way through the states keeps the locks in the name. */
START_TEST(the_name_keeps_them)
{
	struct spool_claim c;
	struct spool_cancel x = { .id = "a" };
	struct job_name name;
	enum job_state state;
	size_t held;
	int result = SPOOL_OK;
	struct spool_bulk b = { .spool = &sp, .each = keep_result,
		.arg = &result };

	enqueue("a", "y", "x", NULL);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 1), JOB_FAILED);
	ck_assert_int_eq(bed_run("a", JOB_REQUEUED, 0), JOB_PENDING);
	ck_assert_int_eq(spool_waiting_open(&sp), SPOOL_OK);
	spool_bulk_hold(&b, "a", NULL);
	spool_bulk_end(&b);
	ck_assert_int_eq(bed_state_of("a"), JOB_HELD);
	spool_bulk_let_go(&b, "a", NULL);
	spool_bulk_end(&b);
	ck_assert_int_eq(result, SPOOL_OK);
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	spool_release(&c); /* its worker died */
	bed_shell("mv processing/* pending/%s",
	    "5-20200101T000000.000000Z-1-a+x+y");
	ck_assert_int_eq(bed_cancel(&x), SPOOL_OK);
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_OK);
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_str_eq(name.locks, "+x+y");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_uint_eq(c.nlock, 2);
	ck_assert_int_eq(spool_recover(&sp, now++, NULL, NULL, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(held, 1);
	end(&c);
	ck_assert_int_eq(spool_purge(&sp, JOB_DONE, "a"), SPOOL_OK);
}
END_TEST

/* An enqueue that fails before its end leaves its job nowhere. */
START_TEST(a_lock_that_cannot_be_made)
{
	bed_shell(": >%s", "locks");
	ck_assert_int_eq(enqueue("a", "s", NULL, NULL), SPOOL_ERROR);
	ck_assert_uint_eq(bed_count("ids") + bed_count("pending"), 0);
	bed_shell("rm %s", "locks");
	ck_assert_int_eq(enqueue("a", "s", NULL, NULL), SPOOL_OK);
	has("s", 1, 0);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "lock", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ one_at_a_time, 0 },
		{ as_many_as_slots, 0 },
		{ many_slots, 0 },
		{ strange_files, 0 },
		{ removed_slots, 0 },
		{ the_child_keeps_it, 0 },
		{ the_name_keeps_them, 0 },
		{ a_lock_that_cannot_be_made, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
