/*
 * spool/why.c: why jobs wait, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <string.h>

#include "spool/waiting_priv.h"

/* Whether a job of after/ waits for what will not come.  A hand may have put it
 * there; then it wants the parent completed. */
static int
is_blocked(struct spool *sp, const struct job_name *name,
    enum spool_parent parent, bool *blocked)
{
	struct job job;
	size_t i;
	int r;

	*blocked = parent == PARENT_GONE;
	if (parent != PARENT_DEAD)
		return SPOOL_OK;
	r = spool_load(sp, JOB_WAITING, name, &job);
	i = waiting_place_of(&job, name->parent);
	*blocked = i < job.after.n || i == job_parents(&job);
	job_free(&job);
	return r == SPOOL_ERROR ? r : SPOOL_OK;
}

int
spool_waiting_reason(struct spool *sp, const struct job_name *name,
    struct spool_reason *why)
{
	enum job_state state;
	int r;

	*why = (struct spool_reason){ .parent = PARENT_WORKS };
	strcpy(why->id, name->parent);
	r = spool_find(sp, why->id, &state, &why->name);
	if (r != SPOOL_OK && r != SPOOL_GONE)
		return r;
	why->parent = waiting_ended_as(r, state);
	why->held = r == SPOOL_OK && state == JOB_HELD;
	why->waits = r == SPOOL_OK && state == JOB_WAITING;
	return is_blocked(sp, name, why->parent, &why->blocked);
}

/* A job that waits for one parent is blocked all the same if another one has
 * ended otherwise than it asks. */
static int
check_others(struct spool *sp, const struct job_name *name,
    struct spool_reason *why)
{
	enum spool_parent parent;
	struct job job;
	size_t i;
	int r = spool_load(sp, JOB_WAITING, name, &job);

	for (i = 0; r == SPOOL_OK && i < job_parents(&job); i++) {
		if (!strcmp(job_parent(&job, i), name->parent))
			continue;
		r = waiting_look_at(sp, job_parent(&job, i), &parent);
		if (r != SPOOL_OK || parent == PARENT_WORKS ||
		    waiting_is_passed(sp, &job, i, parent))
			continue;
		strcpy(why->id, job_parent(&job, i));
		why->parent = parent;
		why->blocked = true;
		why->held = why->waits = false;
		break;
	}
	job_free(&job);
	return r == SPOOL_ERROR ? r : SPOOL_OK;
}

int
spool_waiting_root(struct spool *sp, const struct job_name *name,
    spool_parent_known *known, void *arg, struct spool_reason *why)
{
	struct job_name at = *name, ring = *name;
	size_t n;
	int r;

	for (n = 1;; n++) {
		r = spool_waiting_reason(sp, &at, why);
		if (r == SPOOL_OK && why->parent == PARENT_WORKS)
			r = check_others(sp, &at, why);
		if (r != SPOOL_OK || !why->waits || why->blocked)
			return r;
		at = why->name;
		/* a hand may have made a ring (Brent's algorithm) */
		if (!strcmp(at.id, ring.id)) {
			why->blocked = true;
			return SPOOL_OK;
		}
		if (known && known(arg, at.id))
			return SPOOL_OK;
		if (!(n & (n - 1)))
			ring = at;
	}
}

static int
count_parent(struct spool *sp, const char *id, void *arg)
{
	struct spool_waiting *w = arg;
	struct spool_names names;
	struct job_name name;
	enum spool_parent parent;
	const char *file;
	bool blocked;
	size_t before = w->blocked;
	int fd = waiting_children(sp, id), r = waiting_look_at(sp, id, &parent);

	if (fd < 0 || r != SPOOL_OK || names_open(&names, fd) < 0)
		return r;
	while (r == SPOOL_OK && (file = names_next(&names))) {
		if (!names.regular || !job_name_parse(&name, file))
			continue;
		strcpy(name.parent, id);
		w->waiting++;
		r = is_blocked(sp, &name, parent, &blocked);
		w->blocked += blocked;
	}
	if (r == SPOOL_OK && errno)
		r = spool_fail(sp, path_after(id, "").s);
	names_close(&names);
	w->parents += w->blocked > before;
	if (w->blocked > before)
		strcpy(w->example, id);
	return r;
}

int
spool_waiting_count(struct spool *sp, struct spool_waiting *w)
{
	struct spool_iter it;
	struct job_name name;
	int r;

	*w = (struct spool_waiting){ .waiting = 0 };
	r = waiting_each_parent(sp, count_parent, w);
	if (r != SPOOL_OK || spool_iter_open(sp, &it, JOB_HELD) != SPOOL_OK)
		return SPOOL_ERROR;
	while ((r = spool_iter_next(&it, &name)) > 0)
		w->held++;
	spool_iter_close(&it);
	w->waiting += w->held;
	return r < 0 ? SPOOL_ERROR : SPOOL_OK;
}
