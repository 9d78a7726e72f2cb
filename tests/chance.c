/*
 * chance.c: see chance.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>

#include "chance.h"

static uint64_t seed;

void
chance_seed(uint64_t s)
{
	seed = s;
}

unsigned
chance_below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

int64_t
chance_time(void)
{
	int64_t t = (int64_t)chance_below(1U << 30) << 20 | chance_below(1U << 20);

	return chance_below(2) ? t * 200 % (JOB_TIME_MAX + 1) : t;
}

void
chance_id(char id[JOB_ID_MAX + 1])
{
	static const char chars[] = "ABCXYZabcxyz0123456789_.-";
	size_t n = 1 + chance_below(JOB_ID_MAX), i;

	for (i = 0; i < n; i++)
		id[i] = chars[chance_below(sizeof chars - (i == 0 ? 4 : 1))];
	id[n] = '\0';
}
