/*
 * worker/run.c: one attempt: start, output, timeout, end.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/log.h"
#include "worker/launch.h"
#include "worker/run.h"
#include "worker/self.h"
#include "worker/words.h"

enum {
	TITLE_MAX = 200,        /* bytes of a command in a log line */
	LINGER_MS = 20,         /* between looks whether a group has ended */
	OUTPUT_ROUNDS = 16,     /* reads of 64 KiB of a job that has ended */
	GIVE_UP_TRIES = 3       /* to record an end, after a stop "now" */
};

#define STOP_MOMENT (SECOND / 5) /* from a job's end to a stop of everybody */

/*
 * The system calls of a job's life, from one task of the worker to the next, as
 * `strace -f` shows them for a job that writes nothing.  `make bench` counts
 * them.
 *
 *     fstatat            config is as it was; it could say "paused"
 *     openat             the file as the job will hold it: read-only, its lock
 *     fstat              a regular file of ours, before anything is done to it
 *     openat             to append to it; on an overlay, this copies it up
 *     flock              nobody else runs it
 *     fstat              the file that was locked, as long as it is now
 *     pread              the job
 *     fstatat ids/ID     the id is its own
 *     renameat2          the claim
 *     fstatat            what was moved is what was locked
 *     write              "Processing job": the log is the user's view of it
 *     fstatat log/ID.log where its output begins
 *     pwrite             the slot: who runs it, for recovery, list and why
 *     pipe2              its output, for log-max
 *     vfork              in the child: setpgid (a group to end), prctl,
 *                        getppid (it dies with us), umask, dup2 twice, fcntl
 *                        (it holds the lock), chdir, execve
 *     close              our copy of its end of the pipe
 *     poll               asleep until it ends, writes, or is to be ended;
 *                        twice where the pipe's end wakes us before SIGCHLD
 *     write, sigreturn   SIGCHLD, into the self-pipe,
 *     wait4, read        and out of it again
 *     poll, read, close  the rest of its output, of which there is none
 *     fstat              the last line is whole
 *     write              Attempt:
 *     renameat2          the end
 *     flock, close twice let go: a process left behind holds the same lock
 *     write              "Job completed"
 */

/* A job that runs. */
struct run {
	const struct job_name *name;
	pid_t pid;                 /* and process group */
	int feed;                  /* the pipe to its stdin, -1: none */
	const char *input;         /* what is still to be written there */
	int output;                /* the pipe from its stdout, -1: ended */
	struct spool_log log;
	bool mute;                 /* it cannot be written, and that was said */
	int64_t began;             /* monotonic */
	int64_t deadline;          /* monotonic, 0: none */
	struct job_attempt end;
	struct buf error;
	const char *lacks;         /* the launcher, if it cannot be executed */
};

/* Makes the job's stdin, a pipe whose other end is run->feed; *in stays as it
 * is for a job that has no input. */
static int
open_input(const struct job *job, struct run *run, int *in)
{
	int p[2];

	if (!job->input)
		return 0;
	if (make_pipe(p) < 0)
		return -1;
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	run->feed = p[1];
	run->input = job->input;
	*in = p[0];
	return 0;
}

/* Puts the launcher in front of the words, in memory that the caller frees.
 * NULL: errno. */
static const char **
launcher_words(const char *launcher, const char *const *argv)
{
	const char **words;
	size_t n = 0;

	while (argv[n])
		n++;
	words = malloc((n + 2) * sizeof *words);
	if (!words)
		return NULL;
	words[0] = launcher;
	memcpy(words + 1, argv, (n + 1) * sizeof *words);
	return words;
}

/* Starts the program; when it ends is another matter.  Returns what launching
 * it says, and closes the descriptors that only the child needs. */
static pid_t
spawn_child(struct worker *w, const struct spool_claim *c, struct launch *l,
    int in, int out)
{
	const struct job *job = &c->job;
	const char *shell[] = { "/bin/sh", "-c", job->command, NULL };
	const char *launcher = w->options->launcher;
	const char **words = NULL;
	struct buf own = { 0 };
	pid_t pid = -1;
	size_t n;

	errno = ENOMEM;
	l->envp = make_env(w, c, &own, &n);
	l->argv = job->command ? shell : job->argv;
	if (l->envp && launcher)
		words = launcher_words(launcher, l->argv);
	else if (l->envp && job->command)
		words = plain_words(&w->env, job->command, l->envp, n, l->cwd);
	if (words) {
		l->argv = words;
		l->instead = launcher ? NULL : shell;
	}
	if (l->envp && (words || !launcher)) {
		if (!strchr(l->argv[0], '/'))
			l->path = env_path(l->envp);
		l->in = in;
		l->out = out;
		pid = start_child(l, w->by_vfork);
	}
	l->argv = l->instead = NULL;
	free(words);
	free(l->envp);
	buf_free(&own);
	close_quietly(in);
	close_quietly(out);
	return pid;
}

/* The child could not run its program.  0: that is the job's fault, and
 * run->error says why; -1: it is not (errno).  All that a job can do to a
 * launcher is to have more words than the kernel takes. */
static int
spawn_failed(struct run *run, const struct job *job, const struct failure *f,
    const char *launcher)
{
	while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (f->stage == STAGE_EXEC && f->error != E2BIG)
		run->lacks = launcher;
	if (run->lacks || f->stage == STAGE_FDS || f->error == ENOMEM ||
	    f->error == EAGAIN || f->error == ENFILE) {
		errno = f->error;
		return -1;
	}
	failure_words(&run->error, job, f);
	return 0;
}

/*
 * Starts the job.  1: it runs; 0: it never will, run->error says why; -1: the
 * machine lacks something (errno), it may be tried again.
 */
static int
run_spawn(struct worker *w, const struct spool_claim *c, struct run *run)
{
	struct launch l = {
		.cwd = job_directory(&c->job), .keep = { c->fd }, .nkeep = 1,
		.parent = w->pid, .umask = w->options->umask,
		.terminal = w->terminal
	};
	struct failure f;
	int in = -1, out[2] = { -1, -1 }, r = -1;
	size_t i;

	for (i = 0; i < c->nlock; i++) {
		l.keep[l.nkeep++] = c->lock[i].fd;
		l.keep[l.nkeep++] = c->lock[i].end;
	}
	run->feed = run->output = -1;
	run->lacks = NULL;
	if (open_input(&c->job, run, &in) == 0 && make_pipe(out) == 0) {
		run->output = out[0];
		run->pid = spawn_child(w, c, &l, in, out[1]);
		f = (struct failure){ l.failure.stage, l.failure.error };
		if (run->pid > 0 && f.stage == STAGE_NONE)
			return 1;
		if (run->pid > 0)
			r = spawn_failed(run, &c->job, &f,
			    w->options->launcher);
	} else {
		close_quietly(in);
	}
	close_quietly(run->output);
	close_quietly(run->feed);
	run->feed = run->output = -1;
	return r;
}

/* Puts into the log what the pipe has, which must be something, or its end.
 * What cannot be written is lost: the job must not hang, nor fail, for it. */
static void
read_output(struct worker *w, struct run *run)
{
	static char bytes[65536]; /* as much as a pipe holds */
	ssize_t n = read(run->output, bytes, sizeof bytes);

	if (n > 0 && spool_log_add(w->spool, run->name->id, &run->log, bytes,
	    (size_t)n) != SPOOL_OK && !run->mute) {
		run->mute = true;
		say_error(w->number, w->spool, "output of a job is lost");
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close_quietly(run->output);
		run->output = -1;
	}
}

/* The same with what is there when the job has ended: a process that it has
 * left behind may hold the pipe open. */
static void
drain_output(struct worker *w, struct run *run)
{
	struct pollfd p = { .fd = run->output, .events = POLLIN };
	int rounds = OUTPUT_ROUNDS;

	while (rounds-- && run->output >= 0 && poll(&p, 1, 0) > 0)
		read_output(w, run);
}

/* Writes what the pipe takes. */
static void
feed_input(struct run *run)
{
	ssize_t n;

	while (*run->input) {
		n = write(run->feed, run->input, strlen(run->input) > 65536 ?
		    65536 : strlen(run->input));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			break; /* it reads no more */
		run->input += n;
	}
	close(run->feed);
	run->feed = -1;
}

/* When a stop has waited long enough for the job (monotonic); 0: never. */
static int64_t
stop_deadline(struct worker *w, int64_t now)
{
	if (!worker_stop_level(w))
		return 0;
	if (!w->stopping) {
		w->stopping = now;
		spool_config_refresh(w->spool);
	}
	return w->spool->config.stop_grace < 0 ? 0 :
	    w->stopping + w->spool->config.stop_grace;
}

/* Why the job is to be ended now; JOB_EXIT: it is not. */
static enum job_outcome
why_end(struct worker *w, const struct run *run, int64_t now)
{
	int64_t stop = stop_deadline(w, now);

	if (worker_is_cancelled(w, run->name))
		return JOB_CANCELLED;
	if (worker_stop_level(w) == 2 || (stop && now >= stop))
		return JOB_REQUEUED;
	return run->deadline && now >= run->deadline ? JOB_TIMEOUT : JOB_EXIT;
}

/* The end that we make of a job. */
struct ending {
	enum job_outcome why;      /* JOB_EXIT: it is not to be ended */
	int64_t kill_at;           /* when SIGKILL follows SIGTERM (monotonic) */
	int64_t give_up;           /* killed: when we wait no longer */
	bool killed;
};

/* Ends the group of the job if there is a reason to, first with SIGTERM and
 * kill-grace later with SIGKILL. */
static void
end_group(struct worker *w, const struct run *run, struct ending *e,
    int64_t now)
{
	if (e->why == JOB_EXIT &&
	    (e->why = why_end(w, run, now)) != JOB_EXIT) {
		kill(-run->pid, SIGTERM);
		kill(-run->pid, SIGCONT); /* stopped, it is deaf */
		e->kill_at = now + w->spool->config.kill_grace;
	}
	if (e->why != JOB_EXIT && !e->killed && now >= e->kill_at) {
		kill(-run->pid, SIGKILL);
		e->killed = true;
		/* zombies that nobody reaps stay in the group */
		e->give_up = now + SECOND;
	}
}

/* Whether nothing is left to wait for after the job's own process has ended.
 * After waitpid the kernel keeps the group's id reserved while the group has
 * members; we look every LINGER_MS, too often for it to be reused. */
static bool
group_is_gone(const struct run *run, const struct ending *e, int64_t now)
{
	return e->why == JOB_EXIT || kill(-run->pid, 0) < 0 ||
	    (e->killed && now >= e->give_up);
}

/* How long nothing needs to be done without an event, in ms; -1: for ever. */
static int
patience(struct worker *w, const struct run *run, const struct ending *e,
    bool gone, int64_t now)
{
	int64_t until = run->deadline, stop = stop_deadline(w, now);

	if (stop && (!until || stop < until))
		until = stop;
	if (e->why != JOB_EXIT)
		until = e->killed ? 0 : e->kill_at;
	if (gone && (!until || until > now + LINGER_MS * 1000))
		until = now + LINGER_MS * 1000;
	return until ? poll_ms(until - monotonic()) : -1;
}

/* Whether the signal that ended the job was meant for everybody: at a shutdown
 * init sends SIGTERM to all processes at once.  Then we are told to stop as
 * well, or will be in a moment. */
static bool
ended_by_stop(struct worker *w, int sig)
{
	int64_t until = monotonic() + STOP_MOMENT;

	if (sig != SIGTERM && sig != SIGINT && sig != SIGHUP)
		return false;
	while (!worker_stop_level(w) && monotonic() < until)
		worker_doze(w, poll_ms(until - monotonic()), -1, -1);
	return worker_stop_level(w) > 0;
}

/*
 * Waits for the job and takes in its output, or ends it: at its deadline, when
 * it is cancelled or when we are told to stop now.
 */
static void
watch_over(struct worker *w, struct run *run)
{
	struct ending e = { .why = JOB_EXIT };
	bool gone = false, readable = false;
	int status = 0;

	for (;;) {
		int64_t now = monotonic();

		if (!gone && child_ended) {
			child_ended = 0;
			gone = reap_child(run->pid, &status, &run->end) ==
			    run->pid;
			if (gone)
				self_pipe_drain();
		}
		if (readable)
			read_output(w, run);
		/* after it is gone all that it wrote is in the pipe */
		if (gone)
			drain_output(w, run);
		if (gone && group_is_gone(run, &e, now))
			break;
		end_group(w, run, &e, now);
		if (run->feed >= 0)
			feed_input(run);
		readable = worker_doze(w, patience(w, run, &e, gone, now),
		    run->output, run->feed);
	}
	run->end.outcome = e.why;
	if (e.why == JOB_EXIT && WIFSIGNALED(status)) {
		run->end.outcome = ended_by_stop(w, WTERMSIG(status)) ?
		    JOB_REQUEUED : JOB_SIGNAL;
		run->end.value = WTERMSIG(status);
	} else if (e.why == JOB_EXIT) {
		run->end.value = WEXITSTATUS(status);
	}
	close_quietly(run->feed);
	close_quietly(run->output);
	spool_log_end(&run->log);
}

/* Tells what became of an attempt. */
static void
say_end(struct worker *w, const struct job *job, const struct job_attempt *end,
    enum job_state to, const struct job_name *next, int64_t took)
{
	struct buf b = { 0 };
	unsigned allowed = job_allowed(job, &w->spool->config.policy);
	const char *words;

	if (to == JOB_DONE) {
		say(w->number, "Job completed successfully: %s (%lld ms)",
		    next->id, (long long)(took / 1000));
		return;
	}
	job_outcome_words(&b, end);
	words = b.p ? b.p : "";
	if (end->outcome == JOB_CANCELLED)
		say(w->number, "Job cancelled: %s", next->id);
	else if (to == JOB_PENDING)
		say(w->number, "Job requeued: %s: %s", next->id, words);
	else if (to == JOB_FAILED)
		say(w->number, "Job failed: %s: %s; attempt %u of %u, "
		    "next in %lld s", next->id, words, end->number, allowed,
		    (long long)((next->stamp - end->end) / SECOND));
	else
		say(w->number, "Job failed: %s: %s; attempt %u of %u, "
		    "moved to the dead letter queue", next->id, words,
		    end->number, allowed);
	buf_free(&b);
}

/* Says that a job cannot be started now, from errno. */
static void
say_lack(struct worker *w, const struct run *run)
{
	static const char what[] = "cannot start a job; trying again every "
	    "second";

	if (run->lacks)
		say(w->number, "%s: launcher %s: %s", what, run->lacks,
		    strerror(errno));
	else
		say_error(w->number, w->spool, what);
}

/* Begins the log and starts the job, however long that takes; false: we were
 * told to stop instead. */
static bool
run_prepare(struct worker *w, struct spool_claim *c, struct run *run,
    int *started)
{
	bool told = false;

	for (;;) {
		int r;

		errno = 0;
		r = spool_log_begin(w->spool, c, &run->log, &run->end.log);
		if (r == SPOOL_OK) {
			worker_write_slot(w, c, run->end.log);
			run->began = monotonic();
			*started = run_spawn(w, c, run);
			if (*started >= 0)
				return true;
			w->spool->at[0] = '\0'; /* it is not the spool's */
		} else if (r == SPOOL_REFUSED) {
			buf_puts(&run->error, w->spool->why);
			*started = 0;
			run->began = monotonic();
			return true;
		}
		if (!told)
			say_lack(w, run);
		told = true;
		if (worker_is_cancelled(w, &c->name))
			run->end.outcome = JOB_CANCELLED;
		if (worker_stop_level(w) || run->end.outcome == JOB_CANCELLED)
			return false;
		worker_doze(w, poll_ms(RETRY), -1, -1);
	}
}

/* Records the end, and if that cannot be done, holds on to the job and tries
 * again; a stop "now" ends this. */
static void
run_record(struct worker *w, struct spool_claim *c, struct run *run,
    int64_t took)
{
	const struct job copy = {
		.max_retries = c->job.max_retries,
		.backoff_base = c->job.backoff_base
	};
	struct job_name next = { 0 };
	enum job_state to = JOB_DEAD;
	bool told = false;
	char id[JOB_ID_MAX + 1];
	int r, tries = 0;

	strcpy(id, c->name.id);
	while ((r = spool_finish(w->spool, c, &run->end, &to, &next)) ==
	    SPOOL_ERROR) {
		if (!told)
			say_error(w->number, w->spool, "cannot record the end "
			    "of a job; trying again every second");
		told = true;
		worker_doze(w, poll_ms(RETRY), -1, -1);
		if (worker_stop_level(w) == 2 && ++tries > GIVE_UP_TRIES) {
			say(w->number, "gave up; the next pool recovers the "
			    "job: %s", id);
			spool_release(c);
			return;
		}
	}
	if (r == SPOOL_OK && to == JOB_DEAD)
		board_add_dead(w->board, w->number - 1);
	spool_tally_count(&w->tally, &run->end);
	if (r == SPOOL_OK)
		say_end(w, &copy, &run->end, to, &next, took);
	else
		say(w->number, "Job was taken away by hand while it ran: %s",
		    id);
}

void
run_job(struct worker *w, struct spool_claim *c)
{
	struct run run = {
		.name = &c->name, .feed = -1, .output = -1,
		.end = {
			.number = c->name.attempt, .start = c->name.stamp,
			.worker = (long)w->pid, .outcome = JOB_REQUEUED
		}
	};
	int64_t timeout = c->job.timeout >= 0 ? c->job.timeout :
	    w->spool->config.timeout;
	struct buf title = { 0 };
	int started = 0;

	job_title(&title, &c->job, TITLE_MAX);
	say(w->number, "Processing job %s: %s", c->name.id,
	    title.p ? title.p : "");
	buf_free(&title);
	if (run_prepare(w, c, &run, &started)) {
		if (timeout)
			run.deadline = run.began + timeout;
		if (started) {
			watch_over(w, &run);
		} else {
			run.end.outcome = JOB_ERROR;
			run.end.error = run.error.p ? run.error.p :
			    "out of memory";
		}
	}
	run.end.end = today();
	run_record(w, c, &run, monotonic() - run.began);
	buf_free(&run.error);
}
