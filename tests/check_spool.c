/*
 * check_spool.c: the spool by its interface: what is on disk after each step,
 * what lost races and hands in between make of it.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* flock */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "spool.h"
#include "spool/fsck.h"
#include "spool/log.h"
#include "spool/pool.h"
#include "spool/watch.h"

static char dir[64], path[80];
static struct spool sp;
static int64_t now = INT64_C(1764000000000000);

static void
setup(void)
{
	strcpy(dir, "/tmp/check_spool.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/spool", dir);
	ck_assert_int_eq(spool_open(&sp, path, true), SPOOL_OK);
}

static void
teardown(void)
{
	char command[100];

	spool_close(&sp);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* --- helpers ------------------------------------------------------------ */

static void
fill(struct job *job, const char *id, const char *command)
{
	job_init(job);
	strcpy(job->id, id);
	job->command = command;
	job->priority = JOB_PRIORITY;
	job->max_retries = 3;
	job->backoff_base = 2;
	job->cwd = "/";
	job->created = now++;
}

static int
enqueue(const char *id)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;
	int r;

	fill(&job, id, "true");
	r = spool_stage(&b, &job);
	if (r == SPOOL_OK)
		r = spool_publish(&b);
	spool_batch_free(&b);
	return r;
}

static size_t
count(const char *sub)
{
	char p[200];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	snprintf(p, sizeof p, "%s/%s", path, sub);
	d = opendir(p);
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static nlink_t
links(const char *id)
{
	char p[200];
	struct stat st;

	snprintf(p, sizeof p, "%s/ids/%s", path, id);
	return stat(p, &st) == 0 ? st.st_nlink : 0;
}

static void
where(const char *id, enum job_state *state, struct job_name *name)
{
	ck_assert_int_eq(spool_find(&sp, id, state, name), SPOOL_OK);
}

static enum job_state
state_of(const char *id)
{
	struct job_name name;
	enum job_state state;

	where(id, &state, &name);
	return state;
}

static int
claim(const char *id, struct spool_claim *c)
{
	struct job_name name;
	enum job_state state;

	where(id, &state, &name);
	return spool_claim(&sp, state, &name, now++, c);
}

static struct job_attempt
attempt(const struct spool_claim *c, enum job_outcome outcome, int value)
{
	return (struct job_attempt){ .number = c->name.attempt,
		.outcome = outcome, .value = value, .start = c->name.stamp,
		.end = c->name.stamp + 1000, .worker = 42 };
}

static enum job_state
run(const char *id, enum job_outcome outcome, int value)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	ck_assert_int_eq(claim(id, &c), SPOOL_OK);
	end = attempt(&c, outcome, value);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	return to;
}

static void
shell(const char *fmt, const char *arg)
{
	char command[400], all[500];

	snprintf(command, sizeof command, fmt, arg);
	snprintf(all, sizeof all, "cd %s && %s", path, command);
	ck_assert_int_eq(system(all), 0);
}

struct recovered {
	size_t n;
	enum job_state to;
	struct job_attempt end;
};

static void
note_recovered(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *next)
{
	struct recovered *r = arg;

	ck_assert_int_eq(result, SPOOL_OK);
	(void)next;
	r->n++;
	r->to = to;
	r->end = *end;
}

/* What a worker that is killed does: claims in another process, dies. */
static void
claim_and_die(const char *id, const char *append)
{
	struct spool_claim c;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int r = claim(id, &c);

		if (r == SPOOL_OK && append) {
			char file[JOB_NAME_MAX + 1], p[300];
			int fd;

			job_name_format(file, &c.name);
			snprintf(p, sizeof p, "%s/processing/%s", path, file);
			fd = open(p, O_WRONLY | O_APPEND);
			if (write(fd, append, strlen(append)) < 0)
				r = SPOOL_ERROR;
		}
		_exit(r);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

/* --- opening ------------------------------------------------------------ */

START_TEST(makes_a_private_spool)
{
	static const char *const dirs[] = { "", "/pending", "/processing",
		"/done", "/failed", "/dead", "/ids", "/log", "/workers" };
	struct stat st;
	char p[120];
	size_t i;

	for (i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(p, sizeof p, "%s%s", path, dirs[i]);
		ck_assert_int_eq(stat(p, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0700);
	}
	ck_assert_uint_eq(count("ids"), 0);
	ck_assert_uint_eq(count("workers"), 0);
}
END_TEST

START_TEST(refuses_what_is_no_spool)
{
	struct spool other;
	char p[120];

	snprintf(p, sizeof p, "%s/nothing", dir);
	ck_assert_int_eq(spool_open(&other, p, false), SPOOL_GONE);
	shell("mkdir -m 700 ../mine && touch ../mine/%s", "letter");
	snprintf(p, sizeof p, "%s/mine", dir);
	ck_assert_int_eq(spool_open(&other, p, false), SPOOL_ALIEN);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_ALIEN);
	shell("test ! -e ../mine/%s", "pending");
	snprintf(p, sizeof p, "%s/mine/letter", dir);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_ALIEN);
	shell("mkdir ../open && chmod %s ../open", "770");
	snprintf(p, sizeof p, "%s/open", dir);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_ALIEN);
}
END_TEST

START_TEST(takes_an_empty_directory)
{
	struct spool other;
	char p[120];

	shell("mkdir -m 700 -p ../fs/%s", "lost+found");
	snprintf(p, sizeof p, "%s/fs", dir);
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_OK);
	spool_close(&other);
}
END_TEST

/* --- enqueue ------------------------------------------------------------ */

START_TEST(enqueues_with_two_links)
{
	struct job_name name;
	enum job_state state;
	struct job job;

	ck_assert_int_eq(enqueue("a"), SPOOL_OK);
	ck_assert_uint_eq(links("a"), 2);
	where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_uint_eq(name.attempt, 0);
	ck_assert(!name.timed);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_str_eq(job.command, "true");
	ck_assert_int_eq(job.created, name.stamp);
	job_free(&job);
	ck_assert_int_eq(enqueue("a"), SPOOL_EXISTS);
	ck_assert_uint_eq(count("pending"), 1);
}
END_TEST

START_TEST(makes_ids_that_are_new_and_in_order)
{
	struct spool_batch b = { .spool = &sp, .bulk = true };
	char last[JOB_ID_MAX + 1] = "";
	struct job job;
	size_t i;

	for (i = 0; i < 100; i++) {
		fill(&job, "", "true");
		job.created = now; /* the same for all: they must be bumped */
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
		ck_assert_str_eq(job.id, "");
		ck_assert_int_gt(strcmp(b.name[i].id, last), 0);
		ck_assert_uint_le(strlen(b.name[i].id), 12);
		strcpy(last, b.name[i].id);
	}
	ck_assert_uint_eq(count("pending"), 0);
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	ck_assert_uint_eq(count("pending"), 100);
	spool_batch_free(&b);
}
END_TEST

START_TEST(takes_a_batch_back_whole)
{
	struct spool_batch b = { .spool = &sp, .bulk = true };
	struct spool_claim c;
	struct job job;
	size_t i;

	for (i = 0; i < 3; i++) {
		fill(&job, i == 0 ? "x" : i == 1 ? "y" : "z", "true");
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	}
	fill(&job, "y", "true");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_EXISTS);
	spool_take_back(&b);
	ck_assert_uint_eq(count("ids"), 0);

	/* published, and one claimed in between: that one stays */
	for (i = 0; i < 3; i++) {
		fill(&job, i == 0 ? "x" : i == 1 ? "y" : "z", "true");
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	}
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	ck_assert_int_eq(claim("y", &c), SPOOL_OK);
	spool_take_back(&b);
	ck_assert_uint_eq(count("ids"), 1);
	ck_assert_uint_eq(count("pending"), 0);
	ck_assert_int_eq(state_of("y"), JOB_PROCESSING);
	spool_release(&c);
	spool_batch_free(&b);
}
END_TEST

START_TEST(reuses_an_entry_that_was_left_behind)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;

	shell("echo torn >ids/%s", "a");
	fill(&job, "a", "true");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_LEFTOVER);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_OK);
	ck_assert_uint_eq(count("ids"), 0);
	ck_assert_int_eq(enqueue("a"), SPOOL_OK);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_EXISTS);
	spool_batch_free(&b);
}
END_TEST

START_TEST(leaves_an_entry_that_is_being_written)
{
	char p[120];
	int fd;

	snprintf(p, sizeof p, "%s/ids", path);
	fd = open(p, O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_SH), 0); /* an enqueuer */
	shell("echo torn >ids/%s", "a");
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_BUSY);
	ck_assert_uint_eq(links("a"), 1);
	close(fd);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_OK);
}
END_TEST

/* --- claim and finish --------------------------------------------------- */

START_TEST(claims_once)
{
	struct spool_claim c, d;
	struct job_name name;
	enum job_state state;

	enqueue("a");
	where("a", &state, &name);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now++, &c), SPOOL_OK);
	ck_assert_uint_eq(c.name.attempt, 1);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now++, &d),
	    SPOOL_GONE);
	ck_assert_int_eq(spool_claim(&sp, JOB_PROCESSING, &c.name, now++, &d),
	    SPOOL_BUSY);
	ck_assert(spool_locked(&sp, JOB_PROCESSING, &c.name));
	spool_release(&c);
}
END_TEST

START_TEST(goes_where_the_outcome_says)
{
	struct job_name name;
	enum job_state state;

	enqueue("a");
	ck_assert_int_eq(run("a", JOB_EXIT, 1), JOB_FAILED);
	where("a", &state, &name);
	ck_assert_int_eq(state, JOB_FAILED);
	ck_assert(name.timed);
	ck_assert_uint_eq(name.attempt, 1);
	ck_assert_int_eq(run("a", JOB_REQUEUED, 0), JOB_PENDING);
	where("a", &state, &name);
	ck_assert_uint_eq(name.attempt, 1);
	ck_assert_int_eq(run("a", JOB_TIMEOUT, 0), JOB_FAILED);
	ck_assert_int_eq(run("a", JOB_SIGNAL, 9), JOB_DEAD);
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_OK);
	where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_uint_eq(name.attempt, 0);
	ck_assert_int_eq(run("a", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(links("a"), 2);
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_STATE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "a"), SPOOL_STATE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DONE, "a"), SPOOL_OK);
	ck_assert_uint_eq(count("ids") + count("done") + count("log"), 0);
}
END_TEST

START_TEST(replaces_no_file)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name name, next;
	enum job_state state, to;
	char file[JOB_NAME_MAX + 1], command[200];

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	end = attempt(&c, JOB_EXIT, 0);
	name = c.name;
	name.stamp = end.end;
	job_name_format(file, &name);
	snprintf(command, sizeof command, "echo mine >done/%s", file);
	shell("%s", command);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(next.stamp, end.end + 1);
	ck_assert_uint_eq(count("done"), 2);
	snprintf(command, sizeof command, "grep -q mine done/%s", file);
	shell("%s", command);
	(void)state;
}
END_TEST

START_TEST(finishes_what_was_taken_away)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	/* moved to pending/ by hand while it ran: it runs again, with the
	 * attempt on record */
	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	shell("mv processing/*-%s pending/", "a");
	end = attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_GONE);
	shell("grep -q 'exit=0' ids/%s", "a");
	ck_assert_int_eq(run("a", JOB_EXIT, 0), JOB_DONE);

	/* removed with its id: nothing comes back */
	enqueue("b");
	ck_assert_int_eq(claim("b", &c), SPOOL_OK);
	shell("rm processing/*-%s ids/b", "b");
	end = attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_GONE);
	ck_assert_uint_eq(count("processing"), 0);
	ck_assert_uint_eq(count("ids"), 1);
}
END_TEST

/* --- hands -------------------------------------------------------------- */

static const char text[] =
    "Queuectl: 1\\nCommand: true\\nCreated: 2026-01-01T00:00:00Z\\n";

START_TEST(adopts_what_a_hand_put_there)
{
	char command[300];

	snprintf(command, sizeof command, "printf '%s' >../f && mv ../f "
	    "pending/5-20260101T000000.000000Z-0-hand", text);
	shell("%s", command);
	ck_assert_uint_eq(links("hand"), 0);
	ck_assert_int_eq(run("hand", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(links("hand"), 2);
}
END_TEST

START_TEST(leaves_an_id_that_is_another_jobs)
{
	struct job_name name;
	struct spool_claim c;
	char command[300];

	enqueue("a");
	snprintf(command, sizeof command, "printf '%s' >../f && mv ../f "
	    "pending/5-20260101T000000.000000Z-0-a", text);
	shell("%s", command);
	ck_assert(job_name_parse(&name, "5-20260101T000000.000000Z-0-a"));
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name, now, &c),
	    SPOOL_ALIEN);
	ck_assert_uint_eq(count("pending"), 2);
}
END_TEST

START_TEST(relinks_what_a_copy_broke)
{
	enqueue("a");
	shell("for f in pending/*; do cp $f ../f && mv ../f $f; done; true%s",
	    "");
	ck_assert_uint_eq(links("a"), 1);
	ck_assert_int_eq(run("a", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(links("a"), 2);
}
END_TEST

START_TEST(begins_again_what_a_hand_revived)
{
	struct job_name name;
	struct spool_claim c;
	enum job_state state;

	enqueue("a");
	ck_assert_int_eq(run("a", JOB_EXIT, 1), JOB_FAILED);
	ck_assert_int_eq(run("a", JOB_EXIT, 1), JOB_FAILED);
	ck_assert_int_eq(run("a", JOB_EXIT, 1), JOB_DEAD);
	shell("mv dead/*-%s pending/", "a");
	where("a", &state, &name);
	ck_assert_int_eq(state, JOB_PENDING);
	ck_assert_uint_eq(name.attempt, 3);
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	ck_assert_uint_eq(c.name.attempt, 1);
	spool_release(&c);
}
END_TEST

START_TEST(purges_not_what_is_another_jobs)
{
	enqueue("a");
	run("a", JOB_CANCELLED, 0);
	ck_assert_int_eq(state_of("a"), JOB_DEAD);
	shell("rm ids/%s && echo out >log/a.log", "a");
	ck_assert_int_eq(enqueue("a"), SPOOL_OK);
	shell("ls dead/*-%s >/dev/null", "a");
	/* found by its new namesake: the dead one is not what a names now */
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "a"), SPOOL_STATE);
	shell("mv pending/*-%s ../kept", "a");
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "a"), SPOOL_OK);
	shell("test -e ids/%s && test -e log/a.log", "a");
	shell("! ls dead/*-%s 2>/dev/null", "a");
}
END_TEST

/* A second link elsewhere, as a backup makes it, is no entry in ids/. */
START_TEST(adopts_in_spite_of_other_links)
{
	char command[300];

	snprintf(command, sizeof command, "printf '%s' >../f && ln ../f "
	    "pending/5-20260101T000000.000000Z-0-hand", text);
	shell("%s", command);
	ck_assert_int_eq(spool_drained(&sp), 0);
	ck_assert_int_eq(run("hand", JOB_EXIT, 0), JOB_DONE);
	ck_assert_uint_eq(links("hand"), 3);
	ck_assert_int_eq(spool_drained(&sp), 1);
	/* a copy breaks the link; the other names keep the entry's count up */
	shell("ln ids/%s ../g && for f in done/*; do cp $f ../h && "
	    "mv ../h pending/5-20260101T000000.000000Z-0-hand && rm $f; done",
	    "hand");
	ck_assert_int_eq(spool_drained(&sp), 0);
	ck_assert_int_eq(run("hand", JOB_EXIT, 0), JOB_DONE);
	ck_assert_int_eq(enqueue("hand"), SPOOL_EXISTS);
}
END_TEST

START_TEST(keeps_the_id_of_what_was_put_aside)
{
	struct spool_batch b = { .spool = &sp };
	struct job job;

	enqueue("a");
	shell("mv pending/*-%s ../aside", "a");
	fill(&job, "a", "true");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_LEFTOVER);
	ck_assert_int_eq(spool_reclaim(&sp, "a"), SPOOL_EXISTS);
	shell("mv ../aside pending/5-20260101T000000.000000Z-0-%s", "a");
	ck_assert_int_eq(run("a", JOB_EXIT, 0), JOB_DONE);
	spool_batch_free(&b);
}
END_TEST

START_TEST(says_when_a_directory_is_missing)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	shell("rmdir %s", "done");
	end = attempt(&c, JOB_EXIT, 0);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next),
	    SPOOL_ERROR);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(strncmp(sp.at, "done/", 5), 0);
	shell("mkdir %s", "done");
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	shell("test $(grep -c Attempt: ids/%s) = 1", "a");
}
END_TEST

START_TEST(ends_at_the_end_of_time)
{
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	shell("touch done/5-99991231T235959.999999Z-1-%s", "a");
	end = attempt(&c, JOB_EXIT, 0);
	end.end = JOB_TIME_MAX;
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next),
	    SPOOL_ERROR);
	ck_assert_int_eq(errno, EEXIST);
	spool_release(&c);
}
END_TEST

START_TEST(revives_what_was_lost_too_often)
{
	struct recovered r = { 0 };
	size_t held, i;

	enqueue("a");
	for (i = 0; i < 5; i++) {
		claim_and_die("a", NULL);
		now += 1000;
		spool_recover(&sp, now++, note_recovered, &r, &held);
	}
	ck_assert_int_eq(state_of("a"), JOB_DEAD);
	shell("mv dead/*-%s pending/", "a");
	claim_and_die("a", NULL);
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.to, JOB_FAILED);
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
		shell("%s", command);
		ck_assert(job_name_parse(&name,
		    "5-20260101T000000.000000Z-0-p"));
		ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name, now,
		    &c), SPOOL_ALIEN);
		ck_assert_int_eq(spool_drained(&sp), 1);
		shell("test -e pending/*-p && rm -r pending/*-%s", "p");
	}
}
END_TEST

START_TEST(buries_a_bad_text_unchanged)
{
	struct job_name name;
	struct spool_claim c;
	struct job job;
	enum job_state state;

	shell("echo garbage >pending/5-20260101T000000.000000Z-0-%s", "bad");
	ck_assert(job_name_parse(&name, "5-20260101T000000.000000Z-0-bad"));
	/* it may still be growing: its time stamp is of now */
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name,
	    (int64_t)time(NULL) * 1000000, &c), SPOOL_BUSY);
	ck_assert_int_eq(spool_claim(&sp, JOB_PENDING, &name,
	    ((int64_t)time(NULL) + 60) * 1000000, &c), SPOOL_BAD);
	ck_assert_ptr_nonnull(sp.why);
	where("bad", &state, &name);
	ck_assert_int_eq(state, JOB_DEAD);
	shell("test \"$(cat dead/*-%s)\" = garbage", "bad");
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_BAD);
	job_free(&job);
	ck_assert_int_eq(spool_retry(&sp, "bad", now), SPOOL_BAD);
	ck_assert_int_eq(state_of("bad"), JOB_DEAD);
}
END_TEST

/* --- recovery ----------------------------------------------------------- */

START_TEST(recovers_a_lost_job)
{
	struct recovered r = { 0 };
	struct job_name name;
	enum job_state state;
	size_t held;

	enqueue("a");
	claim_and_die("a", NULL);
	now += 1000;
	ck_assert_int_eq(spool_recover(&sp, now++, note_recovered, &r, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_uint_eq(held, 0);
	ck_assert_int_eq(r.end.outcome, JOB_LOST);
	where("a", &state, &name);
	ck_assert_int_eq(state, JOB_FAILED);
	ck_assert_uint_eq(name.attempt, 0);
}
END_TEST

START_TEST(buries_what_is_lost_too_often)
{
	struct recovered r = { 0 };
	size_t held, i;

	enqueue("a");
	for (i = 1; i <= 5; i++) {
		claim_and_die("a", NULL);
		now += 1000;
		spool_recover(&sp, now++, note_recovered, &r, &held);
		ck_assert_uint_eq(r.n, i);
		ck_assert_int_eq(r.to, i < 5 ? JOB_FAILED : JOB_DEAD);
	}
	/* a retry counts from the beginning */
	ck_assert_int_eq(spool_retry(&sp, "a", now++), SPOOL_OK);
	claim_and_die("a", NULL);
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.to, JOB_FAILED);
}
END_TEST

START_TEST(completes_what_was_recorded)
{
	struct recovered r = { 0 };
	struct job_name name;
	enum job_state state;
	char line[300], start[JOB_TIME_LEN + 1];
	int64_t claimed;
	size_t held;

	enqueue("a");
	claimed = now; /* what claim() will take for the attempt's start */
	job_time_format(start, claimed);
	snprintf(line, sizeof line, "Attempt: 1 start=%s end=%s exit=0 log=0 "
	    "worker=7\n", start, start);
	claim_and_die("a", line);
	now = claimed + 1000;
	ck_assert_int_eq(spool_recover(&sp, now++, note_recovered, &r, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(r.n, 1);
	where("a", &state, &name);
	ck_assert_int_eq(state, JOB_DONE);
	shell("test $(grep -c Attempt: ids/%s) = 1", "a");
}
END_TEST

START_TEST(closes_off_a_torn_line)
{
	struct recovered r = { 0 };
	size_t held;

	enqueue("a");
	claim_and_die("a", "Attempt: 1 start=2026-01");
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.end.outcome, JOB_LOST);
	ck_assert_int_eq(run("a", JOB_EXIT, 0), JOB_DONE);
	shell("test $(grep -c '^Attempt: .* worker=' ids/%s) = 2", "a");

	/* torn within its last number it looks whole, but is not to count */
	enqueue("b");
	claim_and_die("b", "Attempt: 1 start=2026-01-01T00:00:00.000000Z "
	    "end=2026-01-01T00:00:00.000000Z exit=0 log=0 worker=13");
	now += 1000;
	spool_recover(&sp, now++, note_recovered, &r, &held);
	ck_assert_int_eq(r.end.outcome, JOB_LOST);
	shell("grep -q 'worker=13 $' ids/%s", "b");
}
END_TEST

START_TEST(waits_for_who_holds_the_lock)
{
	struct recovered r = { 0 };
	struct spool_claim c;
	size_t held;

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_recover(&sp, now++, note_recovered, &r, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_uint_eq(held, 1);
	ck_assert_int_eq(spool_drained(&sp), 0);
	spool_release(&c);
}
END_TEST

/* --- finding ------------------------------------------------------------ */

START_TEST(resolves_prefixes)
{
	char id[JOB_ID_MAX + 1];

	enqueue("job");
	enqueue("job-1");
	enqueue("other");
	ck_assert_int_eq(spool_resolve(&sp, "job", id), SPOOL_OK);
	ck_assert_str_eq(id, "job");
	ck_assert_int_eq(spool_resolve(&sp, "jo", id), SPOOL_AMBIGUOUS);
	ck_assert_int_eq(spool_resolve(&sp, "o", id), SPOOL_OK);
	ck_assert_str_eq(id, "other");
	ck_assert_int_eq(spool_resolve(&sp, "x", id), SPOOL_GONE);
	ck_assert_int_eq(spool_resolve(&sp, "../ids", id), SPOOL_GONE);
	shell("echo torn >ids/%s", "xtorn");
	ck_assert_int_eq(spool_resolve(&sp, "xtorn", id), SPOOL_GONE);
}
END_TEST

/* --- what is seldom ----------------------------------------------------- */

START_TEST(says_no_such_job)
{
	struct job_name name;
	enum job_state state;

	ck_assert_int_eq(spool_find(&sp, "../x", &state, &name), SPOOL_GONE);
	ck_assert_int_eq(spool_find(&sp, "none", &state, &name), SPOOL_GONE);
	ck_assert_int_eq(spool_retry(&sp, "none", now), SPOOL_GONE);
	ck_assert_int_eq(spool_purge(&sp, JOB_DEAD, "none"), SPOOL_GONE);
}
END_TEST

/* It has moved between the listing and the look. */
START_TEST(loads_what_has_moved)
{
	enum job_state state;
	struct job_name name;
	struct job job;

	enqueue("a");
	where("a", &state, &name);
	ck_assert_int_eq(run("a", JOB_EXIT, 0), JOB_DONE);
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 1);
	job_free(&job);
	/* with nothing in ids/, it is looked for */
	shell("rm ids/%s", "a");
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 1);
	job_free(&job);
	shell("rm done/*-%s", "a");
	ck_assert_int_eq(spool_load(&sp, state, &name, &job), SPOOL_GONE);
	job_free(&job);
}
END_TEST

/* Two at the same microsecond, and a name that a hand has taken. */
START_TEST(makes_names_that_are_not_taken)
{
	struct spool_batch b = { .spool = &sp };
	char command[200], stamp[JOB_STAMP_LEN + 1];
	struct job_name name;
	enum job_state state;
	struct job job;
	int i;

	for (i = 0; i < 2; i++) {
		fill(&job, "", "true");
		job.created = now;
		ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
		ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
		spool_batch_free(&b);
		b = (struct spool_batch){ .spool = &sp };
	}
	ck_assert_uint_eq(count("pending"), 2);
	ck_assert_uint_eq(count("ids"), 2);

	fill(&job, "a", "true");
	job_stamp_format(stamp, job.created);
	snprintf(command, sizeof command, ": >pending/5-%s-0-%%s", stamp);
	shell(command, "a");
	ck_assert_int_eq(spool_stage(&b, &job), SPOOL_OK);
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	/* and once more, which is nothing */
	ck_assert_int_eq(spool_publish(&b), SPOOL_OK);
	spool_batch_free(&b);
	where("a", &state, &name);
	ck_assert_uint_eq(count("pending"), 4);
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
	    SPOOL_ALIEN);
	close(fd);

	snprintf(p, sizeof p, "%s/pending/5-20200101T000000.000000Z-0-big",
	    path);
	fd = open(p, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 3 * (off_t)JOB_TEXT_MAX), 0);
	close(fd);
	shell("touch -d 2020-01-01 pending/*-%s", "big");
	where("big", &state, &name);
	ck_assert_int_eq(spool_claim(&sp, state, &name, now, &c), SPOOL_BAD);
	ck_assert_int_eq(state_of("big"), JOB_DEAD);
}
END_TEST

static void
note_left(void *arg, int result, const struct job_attempt *end,
    enum job_state to, const struct job_name *next)
{
	(void)end;
	(void)to;
	(void)next;
	ck_assert_int_eq(result, SPOOL_ALIEN);
	++*(size_t *)arg;
}

/* In processing/ by hand, with the id of a job that is elsewhere. */
START_TEST(recovers_not_what_is_another_jobs)
{
	size_t held, left = 0;

	enqueue("a");
	shell("cp pending/* processing/5-20200101T000000.000000Z-1-%s", "a");
	ck_assert_int_eq(spool_recover(&sp, now++, note_left, &left, &held),
	    SPOOL_OK);
	ck_assert_uint_eq(left, 1);
	ck_assert_uint_eq(count("pending"), 1);
	ck_assert_uint_eq(count("processing"), 1);
}
END_TEST

START_TEST(refuses_a_path_that_is_too_long)
{
	char p[5000];
	struct spool other;

	memset(p, 'x', sizeof p - 1);
	p[0] = '/';
	p[sizeof p - 1] = '\0';
	ck_assert_int_eq(spool_open(&other, p, true), SPOOL_ERROR);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

/* --- config ------------------------------------------------------------- */

START_TEST(keeps_what_it_does_not_understand)
{
	ck_assert_int_eq(spool_config_set(&sp, config_key("max_retries"),
	    "7"), SPOOL_OK);
	ck_assert_int_eq(sp.config.policy.max_retries, 7);
	shell("printf '# mine\\nnonsense = 1\\n' >>%s", "config");
	ck_assert(spool_config_refresh(&sp));
	ck_assert_uint_eq(sp.config_bad, 3);
	ck_assert_int_eq(spool_config_set(&sp, config_key("sync"), "none"),
	    SPOOL_OK);
	ck_assert_int_eq(spool_config_set(&sp, config_key("max-retries"),
	    "-1"), SPOOL_BAD);
	ck_assert_int_eq(spool_config_set(&sp, config_key("max-retries"),
	    NULL), SPOOL_OK);
	ck_assert_int_eq(sp.config.policy.max_retries, 3);
	shell("printf '# mine\\nnonsense = 1\\nsync = none\\n' | cmp - %s",
	    "config");
}
END_TEST

/* --- pools -------------------------------------------------------------- */

static void
count_slot(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	(void)pool;
	(void)pid;
	(void)s;
	++*(size_t *)arg;
}

START_TEST(knows_live_pools_from_dead)
{
	struct spool_slot slot = { .number = 2, .pid = 77, .start = now };
	struct spool_pool pool;
	size_t n = 0, pools;
	char p[200];
	pid_t pid;
	int fd;

	/* a pool whose process died */
	pid = fork();
	if (pid == 0) {
		if (spool_pool_join(&sp, &pool, 2, now) != SPOOL_OK)
			_exit(1);
		strcpy(slot.job, "a");
		spool_pool_note(&pool, &slot);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_uint_eq(count("workers"), 1);
	ck_assert_int_eq(spool_slots(&sp, false, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(spool_slots(&sp, true, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(spool_pools_stop(&sp, false, &pools), SPOOL_OK);
	ck_assert_uint_eq(pools, 0);
	spool_pool_sweep(&sp);
	ck_assert_uint_eq(count("workers"), 0);

	/* and one that lives */
	ck_assert_int_eq(spool_pool_join(&sp, &pool, 2, now), SPOOL_OK);
	spool_pool_note(&pool, &slot);
	spool_pool_sweep(&sp);
	n = 0;
	ck_assert_int_eq(spool_slots(&sp, false, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(spool_pool_asked(&sp, &pool), 0);
	shell("touch workers/%s.stop", pool.name);
	ck_assert_int_eq(spool_pool_asked(&sp, &pool), 1);
	shell("touch workers/%s.now", pool.name);
	ck_assert_int_eq(spool_pool_asked(&sp, &pool), 2);
	/* it cannot be asked, so it is not waited for */
	shell("rm workers/*.now workers/*.stop && mkdir workers/%s.stop",
	    pool.name);
	ck_assert_int_eq(spool_pools_stop(&sp, false, &pools), SPOOL_ERROR);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_str_eq(strchr(sp.at, '.'), ".stop");
	/* what a hand wrote into its file, and what is no file of a pool */
	shell("rmdir workers/*.stop && printf '%%500s' >workers/%s",
	    pool.name);
	shell("mkdir workers/0123456789-42 && ln -s %s workers/0123456789-43",
	    "x");
	n = 0;
	ck_assert_int_eq(spool_slots(&sp, false, count_slot, &n), SPOOL_OK);
	ck_assert_uint_eq(n, 0);
	shell("rmdir workers/0123456789-42 && rm workers/%s", "0123456789-43");
	/* who waits for its lock waits until the process has ended */
	snprintf(p, sizeof p, "%s/workers/%s", path, pool.name);
	fd = open(p, O_RDONLY);
	spool_pool_leave(&sp, &pool);
	ck_assert_int_lt(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(pool.fd);
	ck_assert_int_eq(flock(fd, LOCK_SH | LOCK_NB), 0);
	close(fd);
	ck_assert_uint_eq(count("workers"), 0);
}
END_TEST

/* --- unique ------------------------------------------------------------- */

static int
enqueue_unique(struct spool *spool, const char *id)
{
	struct spool_batch b = { .spool = spool };
	struct job job;
	int r;

	fill(&job, id, "true");
	job.unique = true;
	while ((r = spool_stage(&b, &job)) == SPOOL_LEFTOVER) {
		r = spool_reclaim(spool, id);
		if (r != SPOOL_OK && r != SPOOL_EXISTS)
			break;
	}
	if (r == SPOOL_OK)
		r = spool_publish(&b);
	spool_batch_free(&b);
	return r;
}

START_TEST(is_unique_while_it_has_not_ended)
{
	struct spool_claim c;
	struct job_attempt end;
	struct job_name next;
	enum job_state to;
	struct job job;
	char p[200];

	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_QUEUED);
	ck_assert_int_eq(claim("u", &c), SPOOL_OK);
	ck_assert(c.job.unique);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_QUEUED);
	end = attempt(&c, JOB_EXIT, 1);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(to, JOB_FAILED);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_QUEUED);
	ck_assert_uint_eq(count("ids"), 1);
	ck_assert_uint_eq(count("failed"), 1);

	/* ended, with a log */
	ck_assert_int_eq(run("u", JOB_EXIT, 0), JOB_DONE);
	snprintf(p, sizeof p, "%s/log/u.log", path);
	fclose(fopen(p, "w"));
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
	ck_assert_uint_eq(count("done"), 0);
	ck_assert_uint_eq(count("log"), 0);
	ck_assert_uint_eq(count("pending"), 1);
	ck_assert_uint_eq(links("u"), 2);
	where("u", &to, &next);
	ck_assert_int_eq(spool_load(&sp, to, &next, &job), SPOOL_OK);
	ck_assert_uint_eq(job.nattempt, 0);
	job_free(&job);
}
END_TEST

START_TEST(replaces_not_what_is_held)
{
	struct job_name name;
	enum job_state state;
	char file[JOB_NAME_MAX + 1], p[300];
	int fd;

	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
	ck_assert_int_eq(run("u", JOB_EXIT, 0), JOB_DONE);
	where("u", &state, &name);
	job_name_format(file, &name);
	snprintf(p, sizeof p, "%s/done/%s", path, file);
	fd = open(p, O_RDONLY);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_BUSY);
	ck_assert_uint_eq(count("done"), 1);
	ck_assert_uint_eq(links("u"), 2);
	close(fd);
	ck_assert_int_eq(enqueue_unique(&sp, "u"), SPOOL_OK);
}
END_TEST

enum { ENQUEUERS = 8 };

/* Enqueues whenever it is told to, and tells what came of it. */
static _Noreturn void
enqueuer(int in, int out)
{
	struct spool own;
	char c;

	ck_assert_int_eq(spool_open(&own, path, false), SPOOL_OK);
	while (read(in, &c, 1) == 1) {
		c = (char)enqueue_unique(&own, "cron");
		ck_assert_int_eq(write(out, &c, 1), 1);
	}
	_exit(0);
}

START_TEST(enqueues_one_of_eight)
{
	/* not all of it in one process, that is, under valgrind */
	const char *fork_mode = getenv("CK_FORK");
	int rounds = fork_mode && !strcmp(fork_mode, "no") ? 30 : 1000;
	int in[2], out[2], i, k, status;
	char bytes[ENQUEUERS] = { 0 };

	ck_assert_int_eq(pipe(in), 0);
	ck_assert_int_eq(pipe(out), 0);
	for (k = 0; k < ENQUEUERS; k++)
		if (fork() == 0) {
			close(in[1]);
			enqueuer(in[0], out[1]);
		}
	close(in[0]);
	close(out[1]);
	for (i = 0; i < rounds; i++) {
		int ok = 0, queued = 0;

		ck_assert_int_eq(write(in[1], bytes, ENQUEUERS), ENQUEUERS);
		for (k = 0; k < ENQUEUERS; k++) {
			char c;

			ck_assert_int_eq(read(out[0], &c, 1), 1);
			ok += c == SPOOL_OK;
			queued += c == SPOOL_QUEUED;
			ck_assert_msg(c == SPOOL_OK || c == SPOOL_QUEUED,
			    "round %d: result %d", i, c);
		}
		ck_assert_msg(ok == 1 && queued == ENQUEUERS - 1,
		    "round %d: %d enqueued, %d queued", i, ok, queued);
		ck_assert_uint_eq(count("pending"), 1);
		ck_assert_uint_eq(count("done") + count("dead"), 0);
		ck_assert_uint_eq(count("ids"), 1);
		ck_assert_uint_eq(links("cron"), 2);
		run("cron", i % 2 ? JOB_CANCELLED : JOB_EXIT, 0);
	}
	close(in[1]);
	for (k = 0; k < ENQUEUERS; k++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	close(out[0]);
}
END_TEST

/* --- cancel, logs, tallies ---------------------------------------------- */

START_TEST(cancels_not_what_ended_otherwise)
{
	struct spool_cancel x = { .id = "a" };
	struct job_attempt end;
	struct spool_claim c;
	struct job_name next;
	enum job_state to;

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_cancel(&sp, &x, now++), SPOOL_BUSY);
	ck_assert(x.held);
	ck_assert(spool_cancelled(&sp, &c.name));
	ck_assert_uint_eq(count("workers"), 1);
	c.job.max_retries = 1;
	end = attempt(&c, JOB_EXIT, 1);
	ck_assert_int_eq(spool_finish(&sp, &c, &end, &to, &next), SPOOL_OK);
	ck_assert_int_eq(to, JOB_DEAD);
	ck_assert_int_eq(spool_cancel(&sp, &x, now++), SPOOL_STATE);
	ck_assert_uint_eq(count("workers"), 0);
	ck_assert_int_eq(spool_arrived(&sp, JOB_DONE, &next), INT64_MAX);
	ck_assert_int_lt(spool_arrived(&sp, JOB_DEAD, &next), INT64_MAX);
}
END_TEST

START_TEST(keeps_head_and_tail_of_a_log)
{
	struct spool_claim c;
	struct spool_log log;
	struct spool_gap gap;
	char written[30000], bytes[8192];
	int64_t offset, i;
	ssize_t n;
	int fd;

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_config_set(&sp, config_key("log-max"), "4K"),
	    SPOOL_OK);
	for (i = 0; i < (int64_t)sizeof written; i++)
		written[i] = (char)('a' + i * i % 26);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset), SPOOL_OK);
	ck_assert_int_eq(offset, 0);
	for (i = 0; i < (int64_t)sizeof written; i += 600)
		ck_assert_int_eq(spool_log_add(&sp, "a", &log, written + i,
		    600), SPOOL_OK);
	spool_log_end(&log);
	ck_assert_int_eq(spool_log_read(&sp, "a", &fd), SPOOL_OK);
	ck_assert_int_eq(spool_log_gap(fd, &gap), 0);
	ck_assert_int_gt(gap.mark, 0);
	n = read(fd, bytes, sizeof bytes);
	ck_assert_int_le(n, 4096);
	ck_assert_int_eq(spool_log_offset(&gap, n), sizeof written);
	/* each byte is where it is said to be */
	for (i = 0; i < (int64_t)sizeof written; i++) {
		int64_t at = spool_log_place(&gap, i);

		if (i >= gap.from && i < gap.to)
			ck_assert_int_eq(at, gap.from);
		else
			ck_assert_int_eq(bytes[at], written[i]);
		if (i < gap.from || i >= gap.to)
			ck_assert_int_eq(spool_log_offset(&gap, at), i);
	}
	close(fd);
	spool_release(&c);
}
END_TEST

START_TEST(knows_a_false_mark)
{
	static const char *const marks[] = { "", "\n", "\n[queuectl: bytes ",
		"\n[queuectl: bytes 0", "\n[queuectl: bytes 0 to x",
		"\n[queuectl: bytes 0 to 99 were lost]\n",
		"\n[queuectl: bytes 1 to 99 were dropped]\n",
		"\n[queuectl: bytes 0 to 99 were dropped]" };
	struct spool_gap gap;
	size_t i;
	int fd;

	for (i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		char p[200];
		FILE *f;

		snprintf(p, sizeof p, "%s/log/m.log", path);
		f = fopen(p, "w");
		fputs(marks[i], f);
		fclose(f);
		ck_assert_int_eq(spool_log_read(&sp, "m", &fd), SPOOL_OK);
		ck_assert_int_eq(spool_log_gap(fd, &gap), 0);
		ck_assert_msg(gap.mark == 0, "%s", marks[i]);
		close(fd);
	}
}
END_TEST

START_TEST(writes_to_no_fifo)
{
	struct spool_claim c;
	struct spool_log log;
	int64_t offset;

	enqueue("a");
	ck_assert_int_eq(claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset), SPOOL_OK);
	shell("mkfifo log/%s.log", "a");
	ck_assert_int_eq(spool_log_add(&sp, "a", &log, "x", 1), SPOOL_ALIEN);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset),
	    SPOOL_ALIEN);
	spool_release(&c);
}
END_TEST

START_TEST(adds_tallies_up)
{
	struct spool_slot slot = { .number = 2, .pid = 7 }, again;
	struct job_attempt a = { .outcome = JOB_SIGNAL, .end = 2000000 };
	struct spool_tally t;
	struct spool_pool pool;

	ck_assert_int_eq(spool_pool_join(&sp, &pool, 2, now++), SPOOL_OK);
	spool_tally_count(&slot.tally, &a);
	slot.tally.outcome[0] = UINT64_MAX; /* more than there is room for */
	spool_pool_note(&pool, &slot);
	spool_pool_recall(&pool, 2, &again);
	ck_assert_uint_eq(again.tally.outcome[JOB_SIGNAL + 1], 1);
	ck_assert_uint_eq(again.tally.outcome[0], UINT64_C(99999999999));
	ck_assert_uint_eq(again.tally.seconds, 2000000);
	slot.tally.outcome[0] = 5;
	spool_pool_note(&pool, &slot);
	shell("printf '1,2,x' >metrics; touch workers/%s.stop", pool.name);
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 5);
	ck_assert_uint_eq(t.took[3], 1);
	shell("printf '1,2,%s,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18' "
	    ">metrics", "x");
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 5);
	shell("rm %s", "metrics");
	spool_pool_leave(&sp, &pool);
	close(pool.fd);
	ck_assert_int_eq(spool_tally_sum(&sp, &t), SPOOL_OK);
	ck_assert_uint_eq(t.outcome[0], 5);
	ck_assert_uint_eq(t.outcome[JOB_SIGNAL + 1], 1);
	ck_assert_uint_eq(count("workers"), 0);
}
END_TEST

int
main(void)
{
	const struct {
		const char *name;
		const TTest *tests[12];
	} cases[] = {
		{ "opening", { makes_a_private_spool, refuses_what_is_no_spool,
		    takes_an_empty_directory, NULL } },
		{ "enqueue", { enqueues_with_two_links,
		    makes_ids_that_are_new_and_in_order,
		    takes_a_batch_back_whole,
		    reuses_an_entry_that_was_left_behind,
		    leaves_an_entry_that_is_being_written, NULL } },
		{ "claim", { claims_once, goes_where_the_outcome_says,
		    replaces_no_file, finishes_what_was_taken_away, NULL } },
		{ "hands", { adopts_what_a_hand_put_there,
		    leaves_an_id_that_is_another_jobs,
		    relinks_what_a_copy_broke, leaves_what_is_no_job,
		    begins_again_what_a_hand_revived,
		    purges_not_what_is_another_jobs,
		    adopts_in_spite_of_other_links,
		    keeps_the_id_of_what_was_put_aside,
		    revives_what_was_lost_too_often,
		    buries_a_bad_text_unchanged, NULL } },
		{ "unique", { is_unique_while_it_has_not_ended,
		    replaces_not_what_is_held, enqueues_one_of_eight, NULL } },
		{ "recovery", { recovers_a_lost_job,
		    buries_what_is_lost_too_often, completes_what_was_recorded,
		    closes_off_a_torn_line, waits_for_who_holds_the_lock,
		    NULL } },
		{ "other", { resolves_prefixes,
		    keeps_what_it_does_not_understand,
		    knows_live_pools_from_dead, says_when_a_directory_is_missing,
		    ends_at_the_end_of_time, NULL } },
		{ "logs", { cancels_not_what_ended_otherwise,
		    keeps_head_and_tail_of_a_log, knows_a_false_mark,
		    writes_to_no_fifo, adds_tallies_up, NULL } },
		{ "seldom", { says_no_such_job, loads_what_has_moved,
		    makes_names_that_are_not_taken, leaves_sockets_and_giants,
		    recovers_not_what_is_another_jobs,
		    refuses_a_path_that_is_too_long, NULL } },
	};
	Suite *s = suite_create("spool");
	SRunner *runner = srunner_create(s);
	size_t i, k;
	int failed;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		TCase *t = tcase_create(cases[i].name);

		tcase_add_checked_fixture(t, setup, teardown);
		tcase_set_timeout(t, 60);
		for (k = 0; cases[i].tests[k]; k++)
			tcase_add_test(t, cases[i].tests[k]);
		suite_add_tcase(s, t);
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
