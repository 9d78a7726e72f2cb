/*
 * hold.c: jobs that a person holds back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/hold.h"
#include "cli/select.h"
#include "spool/waiting.h"

enum { ROUNDS = 10 };           /* for jobs that move while we look at them */

/* The jobs of one call; an id becomes "" when its job is done with. */
struct holding {
	struct spool *spool;
	bool hold;              /* else release */
	char (*id)[JOB_ID_MAX + 1];
	size_t n, cap;
	int left;               /* rounds */
	bool again;             /* a job has moved */
	int worst;              /* exit status */
};

static int
holding_add(void *holding, const char *id)
{
	struct holding *h = holding;
	void *v = array_room(h->id, &h->cap, h->n + 1, sizeof *h->id);

	if (!v)
		return complain_memory();
	h->id = v;
	strcpy(h->id[h->n++], id);
	return DONE;
}

static int
complain_state(const struct holding *h, const char *id)
{
	enum job_state state;
	struct job_name name;

	if (spool_find(h->spool, id, &state, &name) != SPOOL_OK)
		return complain_job(h->spool, SPOOL_GONE, id);
	if (h->hold && state == JOB_HELD)
		return complain("%s: is held already; queuectl release %s lets "
		    "it go", id, id);
	if (h->hold && state == JOB_PROCESSING)
		return complain("%s: cannot be held: it is processing; "
		    "queuectl cancel %s ends it", id, id);
	return complain(h->hold ? "%s: cannot be held: it is %s" :
	    "%s: is not held: it is %s", id, job_state_word(state));
}

static void
print_result(void *holding, int result, void *id)
{
	struct holding *h = holding;

	if (result == SPOOL_GONE && h->left) {
		h->again = true;
		return;
	}
	if (result == SPOOL_OK)
		puts(id);
	else if (result == SPOOL_WRONG_STATE)
		h->worst = complain_state(h, id);
	else
		h->worst = complain_job(h->spool, result, id);
	*(char *)id = '\0';
}

static void
change_round(struct holding *h)
{
	struct spool_bulk b = { .spool = h->spool, .each = print_result,
		.arg = h };
	size_t i;

	h->again = false;
	for (i = 0; i < h->n; i++)
		if (*h->id[i])
			(h->hold ? spool_bulk_hold : spool_bulk_let_go)(&b,
			    h->id[i], h->id[i]);
	spool_bulk_end(&b);
}

static int
change_all(struct call *c, bool hold)
{
	struct holding h = { .spool = &c->spool, .hold = hold };
	int r;

	if (call_open_spool(c, false) != DONE)
		return FAILED;
	r = hold ? select_each(c, 1 << JOB_PENDING | 1 << JOB_FAILED |
	    1 << JOB_WAITING, "matches no job that can be held", holding_add,
	    &h) : select_each(c, 1 << JOB_HELD, "matches no job that is held",
	    holding_add, &h);
	for (h.left = ROUNDS, h.again = true; h.again && h.left--;)
		change_round(&h);
	free(h.id);
	return h.worst > r ? h.worst : r;
}

int
command_hold(struct call *c)
{
	return change_all(c, true);
}

int
command_release(struct call *c)
{
	return change_all(c, false);
}
