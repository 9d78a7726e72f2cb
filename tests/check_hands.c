/*
 * check_hands.c: what people and other programs put into a spool, move in it
 * or take away: job files, copies, links, and what is not a job.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/un.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "suite.h"

static const char text[] =
    "Queuectl: 1\\nCommand: true\\nCreated: 2026-01-01T00:00:00Z\\n";

START_TEST(adopts_what_a_hand_put_there)
{
	char command[300];

	snprintf(command, sizeof command, "printf '%s' >../f && mv ../f "
	    "pending/5-20260101T000000.000000Z-0-hand", text);
	bed_shell("%s", command);
	ck_assert_uint_eq(bed_links("hand"), 0);
	ck_assert_int_eq(bed_run("hand", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(bed_links("hand"), 2);
}
END_TEST

START_TEST(leaves_an_id_that_is_another_jobs)
{
	struct job_name name;
	struct spool_claim c;
	char command[300];

	bed_enqueue("a");
	snprintf(command, sizeof command, "printf '%s' >../f && mv ../f "
	    "pending/5-20260101T000000.000000Z-0-a", text);
	bed_shell("%s", command);
	ck_assert(job_name_parse(&name, "5-20260101T000000.000000Z-0-a"));
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name, now, &c),
	    SPOOL_REFUSED);
	ck_assert_uint_eq(bed_count("pending"), 2);
}
END_TEST

START_TEST(relinks_what_a_copy_broke)
{
	bed_enqueue("a");
	bed_shell("for f in pending/*; do cp $f ../f && mv ../f $f; done; true%s",
	    "");
	ck_assert_uint_eq(bed_links("a"), 1);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(bed_links("a"), 2);
}
END_TEST

START_TEST(begins_again_what_a_hand_revived)
{
	struct job_name name;
	struct spool_claim c;
	enum job_state state;

	bed_enqueue("a");
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 1), JOB_FAILED);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 1), JOB_FAILED);
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 1), JOB_DEAD);
	bed_shell("mv dead/*-%s pending/", "a");
	bed_where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_uint_eq(name.attempt, 3);
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_uint_eq(c.name.attempt, 1);
	spool_release(&c);
}
END_TEST

START_TEST(purges_not_what_is_another_jobs)
{
	bed_enqueue("a");
	bed_run("a", JOB_CANCELLED, 0);
	ck_assert_int_eq(bed_state_of("a"), JOB_DEAD);
	bed_shell("rm ids/%s && echo out >log/a.log", "a");
	ck_assert_int_eq(bed_enqueue("a"), SPOOL_OK);
	bed_shell("ls dead/*-%s >/dev/null", "a");
	/* the id belongs to the new job now, which is not dead */
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "a"), SPOOL_WRONG_STATE);
	bed_shell("mv pending/*-%s ../kept", "a");
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "a"), SPOOL_OK);
	bed_shell("test -e ids/%s && test -e log/a.log", "a");
	bed_shell("! ls dead/*-%s 2>/dev/null", "a");
}
END_TEST

/* A link elsewhere, such as a backup makes, is not an entry in ids/. */
START_TEST(adopts_in_spite_of_other_links)
{
	char command[300];

	snprintf(command, sizeof command, "printf '%s' >../f && ln ../f "
	    "pending/5-20260101T000000.000000Z-0-hand", text);
	bed_shell("%s", command);
	ck_assert_int_eq(spool_drained(&sp), 0);
	ck_assert_int_eq(bed_run("hand", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(bed_links("hand"), 3);
	ck_assert_int_eq(spool_drained(&sp), 1);
	/* a copy breaks the link; other names keep the link count high */
	bed_shell("ln ids/%s ../g && for f in done/*; do cp $f ../h && "
	    "mv ../h pending/5-20260101T000000.000000Z-0-hand && rm $f; done",
	    "hand");
	ck_assert_int_eq(spool_drained(&sp), 0);
	ck_assert_int_eq(bed_run("hand", JOB_EXIT, 0), JOB_DONE);
	ck_assert_int_eq(bed_enqueue("hand"), SPOOL_EXISTS);
}
END_TEST

START_TEST(keeps_the_id_of_what_was_put_aside)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;

	bed_enqueue("a");
	bed_shell("mv pending/*-%s ../aside", "a");
	bed_fill(&job, "a", "true");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_STALE_ID);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_EXISTS);
	bed_shell("mv ../aside pending/5-20260101T000000.000000Z-0-%s", "a");
	ck_assert_int_eq(bed_run("a", JOB_EXIT, 0), JOB_DONE);
	spool_batch_free(&b);
}
END_TEST

START_TEST(leaves_what_is_no_job)
{
	static const char *const plants[] = {
		"ln -s /etc/passwd", "mkdir", "mkfifo",
		("printf 'Queuectl: 1\\nId: other\\nCommand: true\\n"
		    "Created: 2026-01-01T00:00:00Z\\n' >")
	};
	struct job_name name;
	struct spool_claim c;
	char command[300];
	size_t i;

	for (i = 0; i < sizeof plants / sizeof plants[0]; i++) {
		snprintf(command, sizeof command,
		    "%s pending/5-20260101T000000.000000Z-0-p", plants[i]);
		bed_shell("%s", command);
		ck_assert(job_name_parse(&name,
		    "5-20260101T000000.000000Z-0-p"));
		ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name, now,
		    &c), SPOOL_REFUSED);
		ck_assert_int_eq(spool_drained(&sp), 1);
		bed_shell("test -e pending/*-p && rm -r pending/*-%s", "p");
	}
}
END_TEST

/* The wall clock.  Not time(2): it lags behind the time stamps of files. */
static int64_t
wall_clock(void)
{
	struct timespec t;

	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &t), 0);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

START_TEST(buries_a_bad_text_unchanged)
{
	struct job_name name;
	struct spool_claim c;
	struct job job;
	enum job_state state;

	bed_shell("echo garbage >pending/5-20260101T000000.000000Z-0-%s", "bad");
	ck_assert(job_name_parse(&name, "5-20260101T000000.000000Z-0-bad"));
	/* its time stamp is new, so somebody may still be writing it */
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name, wall_clock(),
	    &c), SPOOL_BUSY);
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name,
	    wall_clock() + INT64_C(60000000), &c), SPOOL_BAD);
	ck_assert_ptr_nonnull(sp.why);
	bed_where("bad", &state, &name);
	ck_assert_int_eq(state, JOB_DEAD);
	bed_shell("test \"$(cat dead/*-%s)\" = garbage", "bad");
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_BAD);
	job_free(&job);
	ck_assert_int_eq(spool_retry(&sp, "bad", now), SPOOL_BAD);
	ck_assert_int_eq(bed_state_of("bad"), JOB_DEAD);
}
END_TEST

START_TEST(leaves_sockets_and_giants)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	enum job_state state;
	struct job_name name;
	struct spool_claim c;
	char p[200];
	int fd;

	snprintf(at.sun_path, sizeof at.sun_path,
	    "%.40s/pending/5-20200101T000000.000000Z-0-sock", path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (void *)&at, sizeof at), 0);
	ck_assert(job_name_parse(&name, strrchr(at.sun_path, '/') + 1));
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name, now, &c),
	    SPOOL_REFUSED);
	close(fd);

	snprintf(p, sizeof p, "%s/pending/5-20200101T000000.000000Z-0-big",
	    path);
	fd = open(p, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 3 * (off_t)JOB_TEXT_MAX), 0);
	close(fd);
	bed_shell("touch -d 2020-01-01 pending/*-%s", "big");
	bed_where("big", &state, &name);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now, &c), SPOOL_BAD);
	ck_assert_int_eq(bed_state_of("big"), JOB_DEAD);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "hands", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ adopts_what_a_hand_put_there, 0 },
		{ leaves_an_id_that_is_another_jobs, 0 },
		{ relinks_what_a_copy_broke, 0 },
		{ begins_again_what_a_hand_revived, 0 },
		{ purges_not_what_is_another_jobs, 0 },
		{ adopts_in_spite_of_other_links, 0 },
		{ keeps_the_id_of_what_was_put_aside, 0 },
		{ leaves_what_is_no_job, 0 },
		{ buries_a_bad_text_unchanged, 0 },
		{ leaves_sockets_and_giants, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
