/*
 * queuectl.c: the command table, options, help, main.
 *
 * The map of the source.  Each wing uses only the wings before it:
 *
 *     job/ (memory)  <-  spool (the disk)  <-  worker (processes)  <-  cli/
 *
 *     queuectl.c       the command table, options, help, main
 *     cli/call         one call: complaints, exit status, spool, clock
 *     cli/listing      jobs in order, as table rows and as JSON; the workers
 *     cli/columns      a job as fields that tabs separate
 *     cli/select       which jobs a command is about: states, patterns
 *     cli/why          why a job is not running
 *     cli/show         list, show, logs
 *     cli/wait         wait, cancel, the progress bar
 *     cli/hold         hold, release
 *     cli/lock         lock, and which lock a job waits for
 *     cli/enqueue      enqueue: JSON or lines of stdin become a batch of jobs
 *     cli/graph        the order of jobs that wait for each other
 *     cli/words        the options of enqueue and the words of its command
 *     cli/survey       what there is in a spool, by the names of the jobs
 *     cli/top          a live view
 *     cli/status       status, as text, as JSON and as metrics
 *     cli/admin        worker, dlq, purge, pause, config, fsck
 *     cli/complete     what may come next on a command line, for shells
 *     cli/late         what keeps a command waiting
 *     cli/cgi          the web page: who may ask for what
 *     cli/http         a request of an HTTP server, and its answer
 *     cli/html         what pages are made of
 *     cli/page         the pages
 *     cli/web          start busybox httpd with them
 *
 *     worker.c         a worker's loop: take a task, claim, run, record;
 *                      its header is worker/worker.h
 *     worker/pool      the supervisor forks the workers: restart, stop
 *     worker/dispatch  what goes onto the board, and when
 *     worker/backlog   the names that wait for a worker
 *     worker/gates     names that need locks, and wait for a slot
 *     worker/queue     the best candidates by order, in bounded memory
 *     worker/board     the memory that dispatcher and workers share
 *     worker/run       one attempt: start, output, timeout, end
 *     worker/launch    the child process's way to exec, and its environment
 *     worker/words     a command of plain words needs no shell
 *     worker/self      signals, the clock, log lines
 *
 *     spool.c          the place itself: paths, errors, locks, fsync, names
 *     spool/open       make, check and open a spool; its config, its token
 *     spool/batch      enqueue: stage, publish, take back
 *     spool/life       every rename of a job's normal life
 *     spool/bulk       retry, and changes of many jobs with one sync
 *     spool/waiting    after/ and held/: jobs that wait for others, or for
 *                      a person
 *     spool/why        why jobs wait, for people
 *     spool/hook       the jobs that run when others end
 *     spool/lock       locks/: named locks and their slots
 *     spool/file       one job's file: open, read, lock, append, ids/
 *     spool/look       find a job; is the queue drained?
 *     spool/recover    end a job from outside: recovery, cancel
 *     spool/expire     how long jobs that have ended are kept
 *     spool/log        log/ID.log, head and tail
 *     spool/pool       workers/: a pool's file, its slots, requests to
 *                      stop and to cancel
 *     spool/tally      counts of attempts
 *     spool/fsck       find faults and repair them
 *     spool/watch      inotify, and the places where it is silent
 *
 *     job/job          a job as text, both ways
 *     job/attempt      the lines that attempts add to that text
 *     job/name         a job's id, file name and state
 *     job/policy       what an outcome makes of a job
 *     job/field        a job as JSON, both ways
 *     job/json         strict JSON, both ways
 *     job/config       the settings and their text
 *     job/text         numbers, times, exit codes and UTF-8 as text
 *     job/buf          a growing string, a growing array
 *
 * Words go through cli/ as a struct job to the spool, which makes a file of it.
 * The dispatcher gives the file's name to a worker, which claims the file, runs
 * a process, and tells the spool the outcome.  README.md follows a job through
 * the rooms.  A file of spool/ without a header of its own is in spool.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/admin.h"
#include "cli/call.h"
#include "cli/cgi.h"
#include "cli/complete.h"
#include "cli/enqueue.h"
#include "cli/hold.h"
#include "cli/lock.h"
#include "cli/show.h"
#include "cli/status.h"
#include "cli/top.h"
#include "cli/wait.h"
#include "cli/web.h"
#include "cli/words.h"

/* The Makefile has the version, without quotes. */
#define QUOTE(x) #x
#define QUOTED(x) QUOTE(x)

static int command_help(struct call *);
static int command_complete(struct call *);

static const struct command commands[] = {
	{ "enqueue", "JSON | [OPTION...] -- CMD [ARG...] | --command LINE | -",
	  "add jobs; print their ids when they are safe",
	  "JSON is an object or an array of objects with \"command\" (a line "
	  "for\n/bin/sh) or \"argv\" (an array, run without a shell), and "
	  "optionally\nid, max_retries, backoff_base, backoff_max, priority, "
	  "delay, run_at,\ntimeout, cwd, env, stdin, after, after_any, hold, lock.  "
	  "With - an array,\nor one object per line, is read from standard "
	  "input; bad lines are named\nand skipped.\nThe options go with -- CMD and --command LINE, a line "
	  "for /bin/sh.\n",
	  enqueue_options, 0, -1, command_enqueue },
	{ "list", "[OPTION...] [GLOB...]", "show the jobs",
	  "GLOB is an id, or a pattern of ids such as 'test-*', 'job?' or "
	  "'[a-f]*'.\n", list_options, 0, -1, command_list },
	{ "show", "ID [--json]", "show one job with its attempts",
	  "ID is the id of a job, or the beginning of just one.\n",
	  show_options, 1, 1, command_show },
	{ "logs", "[-f | --attempt N] ID", "print what a job wrote",
	  "stdout and stderr of all attempts, byte for byte.\n",
	  logs_options, 1, 1, command_logs },
	{ "cancel", "ID... | GLOB...", "end jobs for good, running or not",
	  "A running job is ended as by its timeout.  All go to the dead "
	  "letter queue,\nas cancelled.  Prints their ids.\n",
	  NULL, 1, -1, command_cancel },
	{ "hold", "ID... | GLOB...", "keep jobs from running until release",
	  "The jobs must be pending, failed or waiting.  Prints their ids.\n",
	  NULL, 1, -1, command_hold },
	{ "release", "ID... | GLOB...", "let held jobs go",
	  "A job whose parents have not ended goes on to wait for them.  "
	  "Prints the ids.\n", NULL, 1, -1, command_release },
	{ "lock", "[NAME [SLOTS]] [--json]", "show locks, or set the number of "
	  "slots",
	  "SLOTS 0 closes a lock: its jobs wait.  A slot that is removed while a "
	  "job has\nit is the job's to its end; until then, more jobs than "
	  "SLOTS may run.\n",
	  lock_options, 0, 2, command_lock },
	{ "wait", "[--timeout SPAN] ID... | GLOB... | --all",
	  "return when jobs have ended",
	  "The exit status is that of the job (128 + n where signal n killed "
	  "it), or of\nseveral jobs 0 if all have succeeded, else 1; 124 after "
	  "the timeout.\n", wait_options, 0, -1, command_wait },
	{ "status", "[--json | --prometheus]",
	  "count jobs by state, and workers", NULL, status_options, 0, 0,
	  command_status },
	{ "top", "[--once]", "watch the queue, live",
	  "What runs, what is next, what has ended.  q ends it.  Where standard "
	  "output is\nno terminal, it prints one frame.\n", top_options, 0, 0,
	  command_top },
	{ "web", "[--password-file FILE] [ADDRESS:PORT]",
	  "show the queue in a browser, by busybox httpd",
	  "In the foreground, on 127.0.0.1:8080 unless you name another place.  "
	  "Prints the\naddress.  A place that other hosts can reach needs "
	  "--password-file.\n", web_options, 0, 1, command_web },
	{ "cgi", "", "answer a request of an HTTP server, as a CGI program",
	  "The page of the queue: /, /list, /job/ID, /log/ID, /metrics and "
	  "/json.\nThe settings web-hosts and web-actions are about it.\n",
	  NULL, 0, 0, command_cgi },
	{ "worker start", "[--count N] [--daemon] [--drain [--check]] "
	  "[--launcher PROGRAM]",
	  "run jobs, in the foreground",
	  "SIGTERM or SIGINT finishes the current jobs and ends; a second one "
	  "ends\nthe jobs, too, and requeues them.\n",
	  worker_start_options, 0, 0, command_worker_start },
	{ "worker stop", "[--now]", "end all workers, and wait until they have",
	  "Their current jobs are finished first.\n",
	  worker_stop_options, 0, 0, command_worker_stop },
	{ "worker list", "", "show the workers and what they run",
	  NULL, NULL, 0, 0, command_worker_list },
	{ "pause", "", "let workers begin no further job",
	  "Those that run go on.  It stays so until queuectl resume.\n",
	  NULL, 0, 0, command_pause },
	{ "resume", "", "let workers go on after pause", NULL, NULL, 0, 0,
	  command_resume },
	{ "dlq list", "[--limit N] [--json | --jsonl]",
	  "show the dead letter queue", NULL, dlq_list_options, 0, 0,
	  command_dlq_list },
	{ "dlq retry", "ID... | GLOB... | --all",
	  "give dead jobs another chance",
	  "Attempts are counted from 0 again.  Prints the ids.\n",
	  dlq_options, 0, -1, command_dlq_retry },
	{ "dlq purge", "ID... | GLOB... | --all",
	  "remove dead jobs and their logs",
	  "Prints the ids.\n", dlq_options, 0, -1, command_dlq_purge },
	{ "purge", "[--state STATE[,STATE]] [--older-than SPAN] [--dry-run] "
	  "[GLOB...]",
	  "remove jobs that have ended, with their logs",
	  "Without --state and --older-than it removes what the settings "
	  "keep-done,\nkeep-dead and keep-max no longer keep, as idle workers "
	  "do.  With GLOB it\nremoves, of those that it would remove without, "
	  "the jobs whose ids match.\nPrints the ids.\n",
	  purge_options, 0, -1, command_purge },
	{ "config set", "KEY VALUE", "change a setting",
	  "Running workers follow.  queuectl config get lists the keys.\n",
	  NULL, 2, 2, command_config_set },
	{ "config get", "[KEY] [--json]", "show the settings in force",
	  NULL, json_options, 0, 1, command_config_get },
	{ "config list", "[--json]", "the same as config get",
	  NULL, json_options, 0, 0, command_config_get },
	{ "config unset", "KEY", "go back to the default",
	  NULL, NULL, 1, 1, command_config_unset },
	{ "fsck", "[--repair] [--json]", "look for damage in the spool",
	  "Safe while workers run.  Prints each problem and what would repair "
	  "it; the exit\nstatus is 0 only if no problem is left.  No repair "
	  "removes a job.\n", fsck_options, 0, 0, command_fsck },
	{ "help", "[COMMAND]", "explain a command", NULL, NULL, 0, 2,
	  command_help },
	{ "complete", "-- [WORD...]", NULL, NULL, NULL, 0, -1,
	  command_complete },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* Whether the command is one of those that begin with the word `first`, as
 * "worker start" begins with "worker". */
static bool
is_member(const struct command *c, const char *first)
{
	size_t len = strlen(first);

	return !strncmp(c->words, first, len) && c->words[len] == ' ';
}

static bool
is_group(const char *first)
{
	int i;

	for (i = 0; i < COMMANDS; i++)
		if (is_member(&commands[i], first))
			return true;
	return false;
}

/* Prints the commands of a group; NULL: all. */
static void
print_group(FILE *f, const char *first)
{
	int i;

	for (i = 0; i < COMMANDS; i++)
		if (commands[i].line && (!first ||
		    is_member(&commands[i], first)))
			fprintf(f, "  %-13s %s\n", commands[i].words,
			    commands[i].line);
}

static void
print_commands(FILE *f)
{
	fputs("usage: queuectl [--spool DIR] COMMAND ...\n\n", f);
	print_group(f, NULL);
	fputs("\nqueuectl help COMMAND explains one; queuectl --version "
	    "names the version.\nThe spool is DIR, else $QUEUECTL_SPOOL, "
	    "else /var/spool/queuectl for root and\n"
	    "~/.local/state/queuectl for others.\n", f);
}

static void
print_usage(FILE *f, const struct command *c)
{
	fprintf(f, "usage: queuectl [--spool DIR] %s%s%s\n", c->words,
	    *c->args ? " " : "", c->args);
}

static void
print_options(FILE *f, const struct option_def *o)
{
	char words[64];

	for (; o && o->name; o++) {
		snprintf(words, sizeof words, "%s%c%s--%s%s%s",
		    o->letter ? "-" : "", o->letter ? o->letter : ' ',
		    o->letter ? ", " : "   ", o->name, o->arg ? " " : "",
		    o->arg ? o->arg : "");
		fprintf(f, "  %-27s %s\n", words, o->help);
	}
}

static void
print_help(const struct command *c)
{
	const struct config_key *k;

	print_usage(stdout, c);
	printf("\n%s\n", c->line ? c->line :
	    "print what may come next, for the completion of a shell");
	if (c->text)
		printf("\n%s", c->text);
	if (is_member(c, "config")) {
		puts("\nkeys:");
		for (k = config_keys; k->name; k++)
			printf("  %-14s %s\n  %-14s (%s; default %s)\n",
			    k->name, k->help, "", k->range,
			    *k->value ? k->value : "none");
	}
	if (c->options)
		puts("\noptions:");
	print_options(stdout, c->options);
}

/* How many of the n words are the command's own; 0: it is another command. */
static int
match_words(const struct command *c, char *const *words, int n)
{
	if (!strcmp(c->words, words[0]))
		return 1;
	return n > 1 && is_member(c, words[0]) &&
	    !strcmp(c->words + strlen(words[0]) + 1, words[1]) ? 2 : 0;
}

/* The words that other programs use, and ours for the same.  `second` may be
 * NULL.  NULL: we know none. */
static const char *
find_hint(const char *first, const char *second)
{
	static const struct {
		const char *first, *second, *ours;
	} hints[] = {
		{ "version", NULL, "queuectl --version" },
		{ "metrics", NULL, "queuectl status --prometheus" },
		{ "ps", NULL, "queuectl worker list" },
		{ "stop", NULL, "queuectl worker stop" },
		{ "start", NULL, "queuectl worker start" },
		{ "run", NULL, "queuectl worker start" },
		{ "retry", NULL, "queuectl dlq retry" },
		{ "requeue", NULL, "queuectl dlq retry" },
		{ "add", NULL, "queuectl enqueue" },
		{ "push", NULL, "queuectl enqueue" },
		{ "submit", NULL, "queuectl enqueue" },
		{ "ls", NULL, "queuectl list" },
		{ "jobs", NULL, "queuectl list" },
		{ "get", NULL, "queuectl show" },
		{ "info", NULL, "queuectl show" },
		{ "tail", NULL, "queuectl logs -f" },
		{ "unpause", NULL, "queuectl resume" },
		{ "rm", NULL, "queuectl cancel, or queuectl purge" },
		{ "remove", NULL, "queuectl cancel, or queuectl purge" },
		{ "delete", NULL, "queuectl cancel, or queuectl purge" },
		{ "kill", NULL, "queuectl cancel" },
		{ "init", NULL, "queuectl enqueue, which makes the spool" },
		{ "health", NULL, "queuectl status, or queuectl fsck" },
		{ "worker", "status", "queuectl worker list" },
		{ "config", "show", "queuectl config list" },
		{ "enqueue", "--file", "queuectl enqueue - <FILE" },
		{ "enqueue", "-f", "queuectl enqueue - <FILE" }
	};
	size_t i, n = second ? strcspn(second, "=") : 0;

	for (i = 0; i < sizeof hints / sizeof hints[0]; i++)
		if (!strcmp(first, hints[i].first) && (!hints[i].second ||
		    (second && strlen(hints[i].second) == n &&
		    !strncmp(second, hints[i].second, n))))
			return hints[i].ours;
	return NULL;
}

/* Finds the command that the n words begin with; *used is how many words it is.
 * NULL after a complaint that lists the commands. */
static const struct command *
find_command(char *const *words, int n, int *used)
{
	struct text_guess guess = { .name = NULL };
	char first[COMMANDS][16];
	const char *hint;
	int i;

	for (i = 0; i < COMMANDS; i++)
		if ((*used = match_words(&commands[i], words, n)) > 0)
			return &commands[i];
	hint = find_hint(words[0], n > 1 ? words[1] : NULL);
	if (hint) {
		complain("no such command: %s%s%s; did you mean: %s", words[0],
		    is_group(words[0]) ? " " : "", is_group(words[0]) ?
		    words[1] : "", hint);
		return NULL;
	}
	if (is_group(words[0])) {
		if (n > 1)
			complain("no such command: %s %s; there are:",
			    words[0], words[1]);
		else
			complain("%s what?  There are:", words[0]);
		print_group(stderr, words[0]);
		return NULL;
	}
	for (i = 0; i < COMMANDS; i++) {
		snprintf(first[i], sizeof first[i], "%.*s",
		    (int)strcspn(commands[i].words, " "), commands[i].words);
		if (commands[i].line)
			text_guess(&guess, words[0], first[i]);
	}
	complain_unknown("command", words[0], &guess);
	print_group(stderr, NULL);
	return NULL;
}

static int
command_help(struct call *c)
{
	const struct command *command;
	int used;

	if (!c->n) {
		print_commands(stdout);
		return DONE;
	}
	if (c->n == 1 && is_group(c->operand[0])) {
		print_group(stdout, c->operand[0]);
		return DONE;
	}
	command = find_command(c->operand, c->n, &used);
	if (!command)
		return USAGE;
	print_help(command);
	return DONE;
}

static int
command_complete(struct call *c)
{
	return complete_words(c, commands, COMMANDS);
}

/* Says what is wrong with an option, and lists the options. */
static int
complain_option(const struct command *command, const char *word,
    const char *what)
{
	complain("%s: %s", word, what);
	print_usage(stderr, command);
	print_options(stderr, command->options);
	return USAGE;
}

static int
set_spool(struct call *c, const char *value)
{
	if (!value || !*value)
		return complain_usage("--spool needs a directory");
	c->spool_path = value;
	return DONE;
}

static bool
is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* The value that the option brought along, or else the next word; NULL: there
 * is none. */
static char *
take_value(char *value, char **words, int n, int *at)
{
	return value ? value : *at + 1 < n ? words[++*at] : NULL;
}

/* Takes the option at words[*at], and its value. */
static int
take_option(struct call *c, char **words, int n, int *at)
{
	char *word = words[*at], *value;
	const struct option_def *o = option_find(c->command, word, &value);
	const char *hint;

	hint = o ? NULL : find_hint(c->command->words, word);
	if (hint)
		return complain_usage("%s: no such option; did you mean: %s",
		    word, hint);
	if (!o)
		return complain_option(c->command, word, c->command->options ?
		    "no such option; there are:" :
		    "no such option; the command has none");
	if (!o->arg && value)
		return complain_option(c->command, word,
		    "the option takes no value");
	value = o->arg ? take_value(value, words, n, at) : word + strlen(word);
	if (!value)
		return complain_option(c->command, word,
		    "the option needs a value");
	if (o == &spool_option)
		return set_spool(c, value);
	/* There are at most n; few commands get any. */
	if (!c->given && !(c->given = calloc((size_t)n, sizeof *c->given)))
		return complain_memory();
	c->given[c->ngiven++] = (struct given){ o, value };
	return DONE;
}

/* Sorts the words behind the command into options and operands; the operands
 * move to the front of `words`.  After --help there is no command any more. */
static int
take_words(struct call *c, char **words, int n)
{
	int i, r;

	c->operand = words;
	for (i = 0; i < n; i++) {
		if (!c->dashes && !strcmp(words[i], "--")) {
			c->dashes = true;
		} else if (c->dashes || words[i][0] != '-' || !words[i][1] ||
		    (words[i][1] >= '0' && words[i][1] <= '9')) {
			/* "-" and "-1" are not options; "-1" may be a bad
			 * number. */
			c->operand[c->n++] = words[i];
		} else if (is_help(words[i])) {
			print_help(c->command);
			c->command = NULL;
			return DONE;
		} else if ((r = take_option(c, words, n, &i)) != DONE) {
			return r;
		}
	}
	if (c->command->most >= 0 && c->n > c->command->most)
		complain("%s: one argument too many: %s", c->command->words,
		    c->operand[c->command->most]);
	else if (c->n < c->command->least)
		complain("%s takes one more argument", c->command->words);
	else
		return DONE;
	print_usage(stderr, c->command);
	return USAGE;
}

static int
run_command(struct call *c, char **words, int n)
{
	int used, r;

	if (n > 1 && is_group(words[0]) && is_help(words[1])) {
		print_group(stdout, words[0]);
		return DONE;
	}
	c->command = find_command(words, n, &used);
	if (!c->command)
		return USAGE;
	r = take_words(c, words + used, n - used);
	if (r == DONE && c->command)
		r = c->command->run(c);
	return r;
}

/* Takes the options before the command, then runs it. */
static int
run(struct call *c, char **words, int n)
{
	char *value;
	int i;

	for (i = 0; i < n && words[i][0] == '-' && words[i][1]; i++) {
		if (is_help(words[i])) {
			print_commands(stdout);
			return DONE;
		}
		if (!strcmp(words[i], "--version")) {
			puts("queuectl " QUOTED(QUEUECTL_VERSION));
			return DONE;
		}
		if (!option_find(NULL, words[i], &value))
			return complain_usage("no such option: %s; there are "
			    "--spool DIR, --help, --version", words[i]);
		if (set_spool(c, take_value(value, words, n, &i)) != DONE)
			return USAGE;
	}
	if (i < n)
		return run_command(c, words + i, n - i);
	print_commands(stderr);
	return USAGE;
}

/* Somebody else has left a stream non-blocking, but we want to wait for it.  The
 * flag belongs to all who share the stream, so we open it anew for us alone.
 * Where that does not work, as with a socket, the flag is cleared for all. */
static void
make_blocking(int fd, int flags)
{
	char path[24];
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode))
		return; /* it never blocks */
	snprintf(path, sizeof path, "/dev/fd/%d", fd);
	/* non-blocking, or we would wait for the other end of a pipe */
	own = open(path, (flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY);
	if (own >= 0) {
		dup2(own, fd);
		close(own);
	}
	fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* Makes stdin, stdout and stderr fit for use.  If one is closed, opens something
 * in its place, /dev/null or the empty end of a pipe: none of our files may get
 * its number. */
static void
prepare_streams(void)
{
	int fd, flags, p[2];

	for (fd = 0; fd < 3; fd++) {
		flags = fcntl(fd, F_GETFL);
		if (flags >= 0 && flags & O_NONBLOCK)
			make_blocking(fd, flags);
		if (flags < 0 && open("/dev/null", O_RDONLY) < 0 &&
		    pipe(p) == 0)
			close(p[1]);
	}
}

int
main(int argc, char **argv)
{
	/* The memory that it gets is freed by exit. */
	struct call c = { .spool.fd = -1, .spool.ids = -1 };
	int r;

	prepare_streams();
	signal(SIGXFSZ, SIG_IGN); /* a file at its limit is like a full disk */
	/* Commands that print bit by bit flush; so stdio need not look for a
	 * terminal. */
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	/* Nobody else may read the spool, whatever the user's umask is. */
	c.umask = umask(077);
	r = run(&c, argv + 1, argc - 1);
	/* A full disk shows here. */
	if ((fflush(stdout) || ferror(stdout)) && r != USAGE) {
		complain("standard output: %s", strerror(errno));
		r = FAILED;
	}
	exit(r);
}
