/*
 * check_waiting.c: races between those who enqueue children, and those who end
 * or purge their parents.  Nobody sweeps here: the two must see each other.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <sys/mman.h>
#include <sys/wait.h>
#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "holds.h"
#include "spool/waiting.h"
#include "suite.h"

enum { ROUNDS = 800 };

/* Two processes meet here, so that what they do next happens at once. */
struct meeting {
	atomic_int here[2];
};

static struct meeting *meeting;

static void
meet(int who, int round, int late)
{
	volatile int n;

	atomic_store(&meeting->here[who], round);
	while (atomic_load(&meeting->here[!who]) < round)
		;
	for (n = 0; n < late; n++)
		;
}

static void
set_up(void)
{
	bed_set_up();
	ck_assert_int_eq(spool_config_set(&sp, config_key("sync"), "none"),
	    SPOOL_OK);
	ck_assert_int_eq(spool_waiting_open(&sp), SPOOL_OK);
	meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(meeting, MAP_FAILED);
	alarm(60);
}

static void
tear_down(void)
{
	munmap(meeting, sizeof *meeting);
	bed_tear_down();
}

static char *
id_of(char id[24], const char *what, int round)
{
	snprintf(id, 24, "%s%d", what, round);
	return id;
}

/* Enqueues a child of one or two parents. */
static int
enqueue_child(const char *id, const char *a, const char *b)
{
	const char *ids[] = { a, b, NULL };
	struct spool_batch batch = { .spool = &sp };
	struct job job;
	int r;

	holds_fill(&job, id, now++);
	job.after = (struct job_list){ ids, b ? 2 : 1 };
	r = spool_stage(&batch, &job);
	if (r == SPOOL_OK)
		r = spool_publish(&batch);
	else
		spool_take_back(&batch);
	spool_batch_free(&batch);
	return r;
}

/* Runs `other` in a process of its own, beside `mine`. */
static void
race(void (*mine)(int round), void (*other)(int round))
{
	int i, status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* with a spool of its own: locks are the descriptors' */
		ck_assert_int_eq(spool_open(&sp, path, false), SPOOL_OK);
		for (i = 1; i <= ROUNDS; i++)
			other(i);
		_exit(0);
	}
	for (i = 1; i <= ROUNDS; i++)
		mine(i);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void
end_parent(int round)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;
	char p[24];

	ck_assert_int_eq(bed_enqueue(id_of(p, "p", round)), SPOOL_OK);
	ck_assert_int_eq(bed_claim(p, &c), SPOOL_OK);
	end = bed_attempt(&c, JOB_EXIT, 0);
	meet(0, round, round * 37 % 9000);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
}

static void
add_child(int round)
{
	char k[24], p[24];

	meet(1, round, round * 53 % 9000);
	ck_assert_int_eq(enqueue_child(id_of(k, "k", round),
	    id_of(p, "p", round), NULL), SPOOL_OK);
}

START_TEST(no_child_is_left_behind)
{
	char k[24];
	int i;

	race(end_parent, add_child);
	for (i = 1; i <= ROUNDS; i++)
		ck_assert_msg(bed_state_of(id_of(k, "k", i)) == JOB_PENDING,
		    "%s is left behind", k);
	ck_assert_uint_eq(bed_count("after"), 0);
}
END_TEST

/* What became of the child's enqueue, in each round. */
static atomic_char *enqueued;

static void
purge_parent(int round)
{
	char p[24];
	int r;

	ck_assert_int_eq(bed_enqueue(id_of(p, "p", round)), SPOOL_OK);
	ck_assert_int_eq(bed_run(p, JOB_EXIT, 0), JOB_DONE);
	/* a purge is quick */
	meet(0, round, round * 37 % 100 * 10000);
	r = spool_purge(&sp, JOB_DONE, p);
	ck_assert_msg(r == SPOOL_OK || r == SPOOL_NEEDED || r == SPOOL_BUSY,
	    "purge: %d", r);
}

static void
add_child_of_two(int round)
{
	char k[24], p[24];
	int r;

	meet(1, round, 0);
	r = enqueue_child(id_of(k, "k", round), "first",
	    id_of(p, "p", round));
	ck_assert_msg(r == SPOOL_OK || r == SPOOL_NO_PARENT, "enqueue: %d", r);
	enqueued[round] = r == SPOOL_OK;
}

START_TEST(a_parent_is_purged_or_named)
{
	struct job_name name;
	enum job_state state;
	char k[24], p[24];
	int i, named = 0;

	ck_assert_int_eq(bed_enqueue("first"), SPOOL_OK);
	enqueued = mmap(NULL, ROUNDS + 1, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne((void *)enqueued, MAP_FAILED);
	race(purge_parent, add_child_of_two);
	for (i = 1; i <= ROUNDS; i++) {
		ck_assert_int_eq(spool_find(&sp, id_of(p, "p", i), &state,
		    &name) == SPOOL_OK, enqueued[i]);
		ck_assert_int_eq(spool_find(&sp, id_of(k, "k", i), &state,
		    &name) == SPOOL_OK, enqueued[i]);
		named += enqueued[i];
	}
	printf("a_parent_is_purged_or_named: named %d times of %d\n", named,
	    ROUNDS);
	munmap((void *)enqueued, ROUNDS + 1);
}
END_TEST

/* Two parents of a child end at once. */
static void
end_first(int round)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;
	char k[24], p[24], q[24];

	ck_assert_int_eq(bed_enqueue(id_of(p, "p", round)), SPOOL_OK);
	ck_assert_int_eq(bed_enqueue(id_of(q, "q", round)), SPOOL_OK);
	ck_assert_int_eq(enqueue_child(id_of(k, "k", round), p, q), SPOOL_OK);
	ck_assert_int_eq(bed_claim(p, &c), SPOOL_OK);
	end = bed_attempt(&c, JOB_EXIT, 0);
	meet(0, 2 * round - 1, 0);
	meet(0, 2 * round, round * 37 % 9000);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
}

static void
end_second(int round)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;
	char q[24];

	meet(1, 2 * round - 1, 0);
	ck_assert_int_eq(bed_claim(id_of(q, "q", round), &c), SPOOL_OK);
	end = bed_attempt(&c, JOB_EXIT, 0);
	meet(1, 2 * round, round * 53 % 9000);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
}

START_TEST(two_parents_end_at_once)
{
	char k[24];
	int i;

	race(end_first, end_second);
	for (i = 1; i <= ROUNDS; i++)
		ck_assert_msg(bed_state_of(id_of(k, "k", i)) == JOB_PENDING,
		    "%s is left behind", k);
	ck_assert_uint_eq(bed_count("after"), 0);
}
END_TEST

/* Somebody removes a parent's directory, which is empty by then, while we read
 * it. */
START_TEST(a_directory_goes_while_it_is_read)
{
	struct spool_iter it;
	struct job_name name;
	char k[24];
	int i, r;

	ck_assert_int_eq(bed_enqueue("p"), SPOOL_OK);
	for (i = 0; i < 200; i++)
		ck_assert_int_eq(enqueue_child(id_of(k, "k", i), "p", NULL),
		    SPOOL_OK);
	ck_assert_int_eq(spool_iter_open(&sp, &it, JOB_WAITING), SPOOL_OK);
	ck_assert_int_eq(spool_iter_next(&it, &name), 1);
	bed_shell("mv after/%s/* pending/ && rmdir after/p", "p");
	while ((r = spool_iter_next(&it, &name)) == 1)
		;
	ck_assert_int_eq(r, 0);
	spool_iter_close(&it);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "waiting", .setup = set_up, .teardown = tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ no_child_is_left_behind, 0 },
		{ a_parent_is_purged_or_named, 0 },
		{ two_parents_end_at_once, 0 },
		{ a_directory_goes_while_it_is_read, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
