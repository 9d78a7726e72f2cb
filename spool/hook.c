/*
 * spool/hook.c: the jobs that run when others end.
 *
 * A hook is made between a job's Attempt: line and the rename, and waits in
 * after/ID/ for the rename.  Its id follows from the job's id and the start of
 * its last attempt, so that a repetition after a crash makes the same id: there
 * is one hook for each end.  Only the holder of the job's lock makes its hooks.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE /* O_NOFOLLOW, O_CLOEXEC */
#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/file_priv.h"
#include "spool/hook_priv.h"
#include "spool/waiting_priv.h"

enum {
	ID_PART = 40,           /* of the job's id */
	COMMAND_PART = 4096,    /* of its command: bytes */
	AGAIN_MAX = 100         /* times that after/ID/ went away under us */
};

static const char variable[] = "QUEUECTL_HOOK_ID=";

/* Whether a job is a hook itself. */
static bool
is_hook(const struct job *job)
{
	size_t i;

	for (i = 0; i < job->nenv; i++)
		if (!strncmp(job->env[i], variable, sizeof variable - 1))
			return true;
	return false;
}

/* The id of the hook of an end. */
static void
make_id(char id[JOB_ID_MAX + 1], const struct job_name *name,
    enum job_state to, const struct job_attempt *end)
{
	char time[JOB_ID_MAX + 1];
	struct buf b;

	job_id_make(time, end->start);
	buf_on(&b, id, JOB_ID_MAX + 1);
	buf_add(&b, name->id, strnlen(name->id, ID_PART));
	buf_puts(&b, to == JOB_DONE ? ".done-" : ".dead-");
	buf_puts(&b, time);
	buf_free(&b); /* it had room enough */
}

/* The exit status as a shell has it, or a word for an end without one. */
static void
add_exit(struct buf *b, const struct job_attempt *end)
{
	if (end->outcome == JOB_EXIT || end->outcome == JOB_SIGNAL)
		buf_number(b, end->outcome == JOB_SIGNAL ? 128 + end->value :
		    end->value);
	else
		buf_puts(b, job_outcome_word(end->outcome));
}

/* Writes the text of a hook. */
static void
format_hook(struct spool *sp, struct buf *text, const char *id,
    const struct job *job, const struct job_name *next, enum job_state to,
    const struct job_attempt *end)
{
	const char *after[] = { next->id, NULL };
	const char *env[6] = { NULL };
	struct buf b = { 0 };
	size_t at[5], i;
	struct job hook;

	job_init(&hook);
	strcpy(hook.id, id);
	hook.command = to == JOB_DONE ? sp->config.on_done :
	    sp->config.on_dead;
	hook.priority = JOB_PRIORITY;
	hook.max_retries = sp->config.policy.max_retries;
	hook.backoff_base = sp->config.policy.backoff_base;
	hook.created = end->end;
	hook.cwd = "/";
	hook.after_any = (struct job_list){ after, 1 };
	at[0] = b.n;
	buf_printf(&b, "%s%s%c", variable, next->id, 0);
	at[1] = b.n;
	buf_printf(&b, "QUEUECTL_HOOK_STATE=%s%c", job_state_word(to), 0);
	at[2] = b.n;
	buf_puts(&b, "QUEUECTL_HOOK_EXIT=");
	add_exit(&b, end);
	at[3] = ++b.n;
	buf_printf(&b, "QUEUECTL_HOOK_ATTEMPTS=%u%c", next->attempt, 0);
	at[4] = b.n;
	buf_puts(&b, "QUEUECTL_HOOK_COMMAND=");
	job_title(&b, job, COMMAND_PART);
	for (i = 0; i < 5 && !b.failed; i++)
		env[i] = b.p + at[i];
	hook.env = env;
	hook.nenv = 5;
	if (!b.failed)
		job_format(text, &hook);
	text->failed |= b.failed;
	buf_free(&b);
}

static void
unlink_quietly(struct spool *sp, const char *path)
{
	int e = errno;

	unlinkat(sp->fd, path, 0);
	errno = e;
}

/* Writes the text into a file of that name, whatever was there, and syncs it. */
static int
write_text(struct spool *sp, const char *path, const struct buf *text)
{
	int fd, r = SPOOL_OK;

	unlinkat(sp->fd, path, 0); /* a crash may have left it */
	fd = openat(sp->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd < 0)
		return spool_fail(sp, path);
	if (fd_write(fd, text->p, text->n) < 0 ||
	    (sp->config.sync != SYNC_NONE && fsync(fd) < 0))
		r = spool_fail(sp, path);
	fd_close(fd);
	return r;
}

/* Gives the text its two names, the one in after/ID/ first: a crash leaves a
 * hook without an entry in ids/, and a worker makes that. */
static int
link_text(struct spool *sp, const char *text, const char *name,
    const char *entry)
{
	int r = ids_lock(sp, LOCK_SH);

	if (r != SPOOL_OK)
		return r;
	if (linkat(sp->fd, text, sp->fd, name, 0) < 0 && errno != EEXIST)
		r = spool_fail(sp, name);
	else if (linkat(sp->fd, name, sp->fd, entry, 0) < 0 && errno != EEXIST)
		r = spool_fail(sp, entry);
	ids_unlock(sp);
	return r;
}

/*
 * The text is written and synced as the mark of the hook in after/ID/, without
 * the lock of ids/: with hooks, every end of a job would hold that for the time
 * of a sync.  Whoever sweeps may take the mark for one that was left behind, and
 * the directory for an empty one; then we begin again.
 */
static int
publish(struct spool *sp, const struct job_name *hook, const struct buf *text)
{
	struct path entry = path_in(SPOOL_IDS, hook->id);
	struct path name = path_job(JOB_WAITING, hook);
	struct path mark = waiting_path_mark(hook->parent, hook->id);
	struct job none;
	int i, r = SPOOL_OK;

	if (text->failed) {
		errno = ENOMEM;
		return spool_fail(sp, entry.s);
	}
	if (file_exists(sp, entry.s))
		return SPOOL_OK; /* it was made before */
	if (!spool_has_waiting(sp) && (r = spool_waiting_open(sp)) != SPOOL_OK)
		return r;
	job_init(&none);
	for (i = 0; i < AGAIN_MAX; i++) {
		r = waiting_prepare(sp, &none, JOB_WAITING, hook);
		if (r == SPOOL_OK)
			r = write_text(sp, mark.s, text);
		if (r == SPOOL_OK)
			r = link_text(sp, mark.s, name.s, entry.s);
		if (r != SPOOL_ERROR || errno != ENOENT)
			break;
	}
	unlink_quietly(sp, mark.s);
	if (r == SPOOL_OK && sp->config.sync != SYNC_NONE &&
	    (r = dir_sync_of(sp, JOB_WAITING, hook)) == SPOOL_OK &&
	    (r = dir_sync(sp, JOB_WAITING)) == SPOOL_OK)
		r = dir_sync(sp, SPOOL_IDS);
	return r;
}

int
hook_make(struct spool *sp, const struct job *job, const struct job_name *next,
    enum job_state to, const struct job_attempt *end, bool *made)
{
	struct job_name hook = { .priority = JOB_PRIORITY, .stamp = end->end };
	struct buf text = { 0 };
	int r;

	*made = false;
	if ((to != JOB_DONE || !sp->config.on_done[0]) &&
	    (to != JOB_DEAD || !sp->config.on_dead[0]))
		return SPOOL_OK;
	if (is_hook(job))
		return SPOOL_OK;
	make_id(hook.id, next, to, end);
	strcpy(hook.parent, next->id);
	format_hook(sp, &text, hook.id, job, next, to, end);
	r = publish(sp, &hook, &text);
	buf_free(&text);
	*made = r == SPOOL_OK;
	return r;
}
