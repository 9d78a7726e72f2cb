/*
 * lock.c: shows named locks, sets their slots, and names the jobs that hold them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/lock.h"
#include "job/json.h"
#include "spool/lock.h"

/* A lock, and the jobs that need it. */
struct row {
	char lock[JOB_LOCK_MAX + 1];
	struct spool_lock look;
	size_t waiting;
	struct buf holders;     /* the ids of the jobs that run: "+a+b" */
};

struct rows {
	const char *only;       /* no other lock; NULL: all */
	struct row *v;
	size_t n, cap;
	size_t last;            /* the one that was found last */
	bool failed;            /* out of memory */
};

/* Returns the row of a lock, which it makes if there is none.  NULL: the user asked
 * for another lock, or memory ran out. */
static struct row *
find_row(struct rows *rows, const char *lock)
{
	struct row *v;
	size_t i;

	if (rows->only && strcmp(lock, rows->only) != 0)
		return NULL;
	if (rows->n && !strcmp(rows->v[rows->last].lock, lock))
		return &rows->v[rows->last];
	for (i = 0; i < rows->n && strcmp(rows->v[i].lock, lock) != 0;)
		i++;
	if (i == rows->n) {
		v = array_room(rows->v, &rows->cap, i + 1, sizeof *v);
		rows->failed |= !v;
		if (!v)
			return NULL;
		rows->v = v;
		v[i] = (struct row){ .waiting = 0 };
		strcpy(v[i].lock, lock);
		rows->n++;
	}
	rows->last = i;
	return &rows->v[i];
}

static bool
add_lock(void *rows, const char *lock)
{
	find_row(rows, lock);
	return true;
}

static void
add_holder(struct row *row, const char *id)
{
	buf_putc(&row->holders, '+');
	buf_puts(&row->holders, id);
}

static void
add_job(struct rows *rows, enum job_state state, const struct job_name *name)
{
	const char *locks = name->locks;
	char lock[JOB_LOCK_MAX + 1];
	struct row *row;

	while (job_lock_next(&locks, lock)) {
		row = find_row(rows, lock);
		if (row && state == JOB_PROCESSING)
			add_holder(row, name->id);
		else if (row)
			row->waiting++;
	}
}

static int
compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->lock,
	    ((const struct row *)b)->lock);
}

/* Finds the locks and the jobs that need them. */
static int
read_rows(struct spool *sp, struct rows *rows)
{
	static const enum job_state states[] = { JOB_PROCESSING, JOB_PENDING,
		JOB_FAILED };
	struct spool_iter it;
	struct job_name name;
	size_t i;
	int r;

	if (spool_locks(sp, add_lock, rows) != SPOOL_OK)
		return complain_spool(sp);
	for (i = 0; i < 3; i++) {
		if (spool_iter_open(sp, &it, states[i]) != SPOOL_OK)
			return complain_spool(sp);
		while ((r = spool_iter_next(&it, &name)) > 0)
			add_job(rows, states[i], &name);
		spool_iter_close(&it);
		if (r < 0)
			return complain_spool(sp);
	}
	for (i = 0; i < rows->n; i++) {
		r = spool_lock_look(sp, rows->v[i].lock, &rows->v[i].look);
		if (r != SPOOL_OK && r != SPOOL_GONE)
			return complain_spool(sp);
		rows->failed |= rows->v[i].holders.failed;
	}
	if (rows->n)
		qsort(rows->v, rows->n, sizeof *rows->v, compare_rows);
	return rows->failed ? complain_memory() : DONE;
}

static void
add_row_json(struct buf *b, const struct row *row)
{
	buf_putc(b, '{');
	json_member_string(b, "lock", row->lock);
	json_member_number(b, "slots", (int64_t)row->look.slots);
	json_member_number(b, "taken", (int64_t)row->look.taken);
	json_member_number(b, "waiting", (int64_t)row->waiting);
	if (row->holders.n)
		json_member_list(b, "holders", row->holders.p);
	buf_putc(b, '}');
}

static int
print_json(const struct rows *rows)
{
	struct buf b = { 0 };
	size_t i;

	buf_puts(&b, "[");
	for (i = 0; i < rows->n; i++) {
		buf_puts(&b, i ? ",\n" : "\n");
		add_row_json(&b, &rows->v[i]);
	}
	buf_puts(&b, rows->n ? "\n]\n" : "]\n");
	return print_buf(&b);
}

static int
print_table(const struct rows *rows)
{
	struct buf b = { 0 };
	size_t i;
	char *p;

	buf_printf(&b, "%-16s  %6s  %6s  %7s  %s\n", "LOCK", "SLOTS", "TAKEN",
	    "WAITING", "JOBS");
	for (i = 0; i < rows->n; i++) {
		const struct row *row = &rows->v[i];

		for (p = row->holders.p; p && *p; p++)
			*p = *p == '+' ? ' ' : *p;
		buf_printf(&b, "%-16s  %6zu  %6zu  %7zu  %s\n", row->lock,
		    row->look.slots, row->look.taken, row->waiting,
		    row->holders.n ? row->holders.p + 1 : "-");
	}
	return print_buf(&b);
}

static int
show_locks(struct call *c, const char *only)
{
	struct rows rows = { .only = only };
	size_t i;
	int r = read_rows(&c->spool, &rows);

	if (r == DONE && only && !rows.n)
		r = complain("there is no lock %s; queuectl lock %s 1 makes "
		    "it", only, only);
	else if (r == DONE)
		r = call_option(c, "json") ? print_json(&rows) :
		    print_table(&rows);
	for (i = 0; i < rows.n; i++)
		buf_free(&rows.v[i].holders);
	free(rows.v);
	return r;
}

const struct option_def lock_options[] = {
	{ "json", 0, NULL, "as a JSON array, a lock on each line" },
	{ NULL, 0, NULL, NULL }
};

static int
set_slots(struct call *c, const char *lock, const char *word)
{
	struct spool_lock look;
	int64_t n;
	int r;

	if (!job_number_parse(word, 0, SPOOL_SLOTS_MAX, &n))
		return complain_usage("%s must be a whole number from %d to %d"
		    ", not %s", "the number of slots", 0, SPOOL_SLOTS_MAX,
		    word);
	if (call_open_spool(c, false) != DONE)
		return FAILED;
	r = spool_lock_set(&c->spool, lock, (size_t)n, &look);
	if (r == SPOOL_WRONG_STATE)
		return complain("lock %s has %zu slots whose names are not "
		    "numbers, and this leaves those to you: rm %s/locks/%s/"
		    "SLOT", lock, look.named, c->spool.path, lock);
	return r == SPOOL_OK ? DONE : complain_spool(&c->spool);
}

int
command_lock(struct call *c)
{
	const char *lock = c->n ? c->operand[0] : NULL;

	if (lock && !job_lock_valid(lock)) {
		complain("the name of a lock is 1 to 32 of A-Z a-z 0-9 . _ - "
		    "that begin with a letter, a digit or _, not %s", lock);
		return USAGE;
	}
	if (c->n > 1 && call_option(c, "json"))
		return complain_usage("--json goes without a number of slots");
	if (c->n > 1)
		return set_slots(c, lock, c->operand[1]);
	return call_open_spool(c, false) == DONE ? show_locks(c, lock) : FAILED;
}

/* --- why a job waits ---------------------------------------------------- */

enum { NAMED_MAX = 3 };         /* holders that are named */

/* Adds the jobs that hold the slots of a lock, unless a slot is free. */
static void
add_holders(struct spool *sp, const struct lock_view *v, const char *lock,
    struct buf *b)
{
	struct spool_lock look;
	size_t i, n = 0;

	if (spool_lock_look(sp, lock, &look) != SPOOL_OK ||
	    look.taken < look.slots)
		return;
	buf_printf(b, "waits for lock %s, held by ", lock);
	for (i = 0; i < v->running.n; i++) {
		const struct job_name *name = &v->running.v[i].name;

		if (!job_lock_among(name->locks, lock))
			continue;
		if (n < NAMED_MAX)
			buf_printf(b, "%s%s", n ? ", " : "", name->id);
		n++;
	}
	if (n > NAMED_MAX)
		buf_printf(b, " and %zu more", n - NAMED_MAX);
	if (!n)
		buf_puts(b, "a process that is not a job's");
}

/* What is said of some locks. */
struct lock_words {
	char locks[JOB_LOCKS_LEN + 1];
	struct buf b;           /* empty: nothing */
};

/* Finds out what to say of a job's locks. */
static void
add_words(struct spool *sp, const struct lock_view *v, const char *locks,
    struct buf *b)
{
	char lock[JOB_LOCK_MAX + 1];

	if (spool_lock_closed(sp, locks, lock))
		buf_printf(b, "lock %s is closed: it has no slots; queuectl "
		    "lock %s 1 opens it", lock, lock);
	while (!b->n && job_lock_next(&locks, lock))
		add_holders(sp, v, lock, b);
}

const char *
lock_why(struct spool *sp, struct lock_view *v, const char *locks)
{
	struct lock_words *words;
	size_t i;

	if (!*locks)
		return NULL;
	if (!v->looked && listing_read(sp, &v->running, JOB_PROCESSING) != DONE)
		return NULL;
	v->looked = true;
	/* thousands of jobs may wait for the same ones */
	for (i = 0; i < v->n && strcmp(v->v[i].locks, locks) != 0;)
		i++;
	if (i == v->n) {
		words = array_room(v->v, &v->cap, i + 1, sizeof *words);
		if (!words)
			return NULL;
		v->v = words;
		words[i] = (struct lock_words){ .b = { 0 } };
		strcpy(words[i].locks, locks);
		v->n++;
		add_words(sp, v, locks, &words[i].b);
	}
	return v->v[i].b.n ? v->v[i].b.p : NULL;
}

void
lock_view_free(struct lock_view *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		buf_free(&v->v[i].b);
	free(v->v);
	free(v->running.v);
}
