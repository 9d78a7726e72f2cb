/*
 * places.c: see places.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "places.h"
#include "spool/pool.h"

int
places_config(void)
{
	return spool_config_set(&sp, config_key("max-retries"), "9");
}

int
places_pool(void)
{
	struct spool_slot slot = { .number = 1, .pid = 7,
		.tally = { .outcome = { 1 }, .took = { 1 } } };
	struct spool_pool pool;
	int r = spool_pool_join(&sp, &pool, 2, now++);

	if (r != SPOOL_OK)
		return r;
	spool_slot_write(&pool, &slot);
	spool_pool_leave(&sp, &pool);
	close(pool.fd);
	return SPOOL_OK;
}

int
places_create(void)
{
	struct spool other;
	char p[200];
	int r;

	snprintf(p, sizeof p, "%s/a/b/spool", dir);
	r = spool_open(&other, p, true);
	if (r == SPOOL_OK)
		spool_close(&other);
	else
		strcpy(sp.at, other.at);
	return r;
}

int
places_resolve(void)
{
	char id[JOB_ID_MAX + 1];

	return spool_resolve(&sp, "j", id);
}

int
places_drained(void)
{
	return spool_drained(&sp) < 0 ? SPOOL_ERROR : SPOOL_OK;
}

static void
see_slot(void *arg, const char *pool, long pid, const struct spool_slot *s)
{
	(void)arg;
	(void)pool;
	(void)pid;
	(void)s;
}

int
places_slots(void)
{
	return spool_slots(&sp, true, see_slot, NULL);
}
