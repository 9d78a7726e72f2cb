/*
 * check_order.c: the channel between the dispatcher and a worker.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suite.h"
#include "worker/order.h"

static int ours, theirs;

static void
set_up(void)
{
	ck_assert_int_eq(channel_open(&ours, &theirs), 0);
	/* a call that waits where it must not ends the test */
	signal(SIGALRM, SIG_DFL);
	alarm(20);
}

static void
tear_down(void)
{
	close(ours);
	close(theirs);
}

static struct order
order(uint32_t number)
{
	struct order o;

	memset(&o, (int)(number & 0xff), sizeof o);
	o.number = number;
	return o;
}

static bool
give(uint32_t number)
{
	struct order o = order(number);

	return channel_send(ours, &o, sizeof o);
}

/* Reads at most n and asserts that they are k orders, from `first` on. */
static void
takes(int n, int k, uint32_t first)
{
	struct order o[8], want;
	int i;

	memset(o, 0x55, sizeof o);
	ck_assert_int_eq(channel_receive(theirs, o, sizeof *o, (size_t)n), k);
	for (i = 0; i < k; i++) {
		want = order(first + (uint32_t)i);
		ck_assert_mem_eq(&o[i], &want, sizeof want);
	}
}

START_TEST(no_job_inherits_it)
{
	ck_assert_int_eq(fcntl(ours, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(theirs, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

START_TEST(brings_whole_messages)
{
	struct report r = { .number = 7, .result = 3 }, got;
	int i;

	takes(4, 0, 0);
	ck_assert(give(1));
	takes(4, 1, 1);
	takes(4, 0, 0);
	for (i = 2; i < 9; i++)
		ck_assert(give((uint32_t)i));
	takes(4, 4, 2);
	takes(1, 1, 6);
	takes(4, 2, 7);
	takes(4, 0, 0);
	/* and the other way */
	ck_assert(channel_send(theirs, &r, sizeof r));
	ck_assert_int_eq(channel_receive(ours, &got, sizeof got, 1), 1);
	ck_assert_mem_eq(&got, &r, sizeof r);
	takes(4, 0, 0);
}
END_TEST

START_TEST(waits_for_the_rest_of_one)
{
	struct order o = order(1);
	int status;
	pid_t pid;

	/* no kernel that we know cuts a message; if one did: */
	ck_assert_int_eq(send(ours, &o, 10, 0), 10);
	pid = fork();
	if (pid == 0)
		_exit(send(ours, (char *)&o + 10, sizeof o - 10, 0) < 0);
	takes(4, 1, 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* of one that was never sent whole nothing is left */
	ck_assert_int_eq(send(ours, &o, 10, 0), 10);
	close(ours);
	ours = -1;
	takes(4, -1, 0);
}
END_TEST

START_TEST(tells_of_the_end)
{
	struct report r = { .number = 7 };

	/* what was sent before it comes first */
	ck_assert(give(1) && give(2));
	close(ours);
	ours = -1;
	takes(1, 1, 1);
	takes(4, 1, 2);
	takes(4, -1, 0);
	takes(4, -1, 0);
	/* and to send is an error, not a signal */
	signal(SIGPIPE, SIG_DFL);
	ck_assert(!channel_send(theirs, &r, sizeof r));
}
END_TEST

START_TEST(tells_of_one_that_died_before_it_read)
{
	struct report r = { .number = 7 }, got;

	ck_assert(give(1));
	ck_assert(channel_send(theirs, &r, sizeof r));
	close(theirs);
	theirs = -1;
	ck_assert(!give(2));
	ck_assert_int_eq(channel_receive(ours, &got, sizeof got, 1), 1);
	ck_assert_uint_eq(got.number, 7);
	ck_assert_int_eq(channel_receive(ours, &got, sizeof got, 1), -1);
	ck_assert_int_eq(channel_receive(ours, &got, sizeof got, 1), -1);
}
END_TEST

START_TEST(never_blocks_the_sender)
{
	uint32_t sent = 0, got = 0;
	struct order o;

	/* nobody reads: hundreds find room, and then it says no */
	while (give(sent + 1))
		sent++;
	ck_assert_uint_ge(sent, 100);
	ck_assert(errno == EAGAIN || errno == EWOULDBLOCK);
	ck_assert(!give(0));
	/* all that it took come whole and in order, and there is room again */
	while (channel_receive(theirs, &o, sizeof o, 1) == 1) {
		struct order want = order(++got);

		ck_assert_mem_eq(&o, &want, sizeof o);
	}
	ck_assert_uint_eq(got, sent);
	ck_assert(give(1));
	takes(4, 1, 1);
}
END_TEST

/* A worker that dies ends its channel, whoever else was forked meanwhile. */
START_TEST(ends_with_the_process)
{
	struct order o;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		close(ours);
		_exit(channel_receive(theirs, &o, sizeof o, 1) < 0);
	}
	close(theirs);
	theirs = -1;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(channel_receive(ours, &o, sizeof o, 1), -1);
}
END_TEST

START_TEST(cannot_be_made_without_descriptors)
{
	struct rlimit old, few;
	int fd[100], n = 0, a = 5, b = 6;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	if (getenv("CK_FORK"))
		return; /* valgrind counts the descriptors in its own way */
	few = old;
	few.rlim_cur = 40;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 100 && (fd[n] = dup(0)) >= 0)
		n++;
	ck_assert_int_gt(n, 0);
	close(fd[--n]); /* one is not enough */
	ck_assert_int_eq(channel_open(&a, &b), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert(a == 5 && b == 6);
	while (n > 0)
		close(fd[--n]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "order", .setup = set_up, .teardown = tear_down,
		.seconds = 30
	};
	const struct suite_test tests[] = {
		{ no_job_inherits_it, 0 },
		{ brings_whole_messages, 0 },
		{ waits_for_the_rest_of_one, 0 },
		{ tells_of_the_end, 0 },
		{ tells_of_one_that_died_before_it_read, 0 },
		{ never_blocks_the_sender, 0 },
		{ ends_with_the_process, 0 },
		{ cannot_be_made_without_descriptors, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
