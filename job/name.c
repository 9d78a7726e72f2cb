/*
 * name.c: a job's id, its file name and its state.
 *
 * The name of a job in a state directory is
 *
 *	PRIORITY SEP STAMP - ATTEMPT - ID    5-20261124T053012.345678Z-0-job1
 *
 * PRIORITY is one digit, 0 runs first.  SEP is '-' (STAMP only orders) or '@'
 * (not before STAMP).  STAMP is UTC, YYYYMMDDTHHMMSS.uuuuuuZ.  ATTEMPT is the
 * number of attempts charged, decimal, from 0 to 2147483647.  ID is 1-64 of
 * A-Za-z0-9._-, and the first is a letter, a digit or '_'.  There is one way
 * to write a name: no leading zeros, no second 60.
 *
 * SPDX-License-Identifier: MIT
 */
#include "job/name.h"

static const struct {
	const char *dir, *word;
} states[] = {
	[JOB_PENDING] = { "pending", "pending" },
	[JOB_PROCESSING] = { "processing", "processing" },
	[JOB_DONE] = { "done", "completed" },
	[JOB_FAILED] = { "failed", "failed" },
	[JOB_DEAD] = { "dead", "dead" },
	[JOB_HELD] = { "held", "waiting" },
	[JOB_WAITING] = { "after", "waiting" },
};

const char *
job_state_dir(enum job_state state)
{
	return states[state].dir;
}

const char *
job_state_word(enum job_state state)
{
	return states[state].word;
}

bool
job_id_valid(const char *id)
{
	size_t n;

	if (*id == '.' || *id == '-')
		return false;
	for (n = 0; id[n]; n++) {
		if (n == JOB_ID_MAX || (!text_is_letter(id[n]) &&
		    !text_is_digit(id[n]) && !strchr("._-", id[n])))
			return false;
	}
	return n > 0;
}

/* 36^10 microseconds are 115 years. */
void
job_id_make(char id[JOB_ID_MAX + 1], int64_t time)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	int i;

	time = text_clamp_time(time);
	id[10] = '\0';
	for (i = 10; i-- > 0; time /= 36)
		id[i] = digits[time % 36];
}

void
job_name_format(char out[JOB_NAME_MAX + 1], const struct job_name *name)
{
	char stamp[JOB_STAMP_LEN + 1];
	struct buf b;

	job_stamp_format(stamp, name->stamp);
	buf_on(&b, out, JOB_NAME_MAX + 1);
	buf_number(&b, name->priority);
	buf_putc(&b, name->timed ? '@' : '-');
	buf_puts(&b, stamp);
	buf_putc(&b, '-');
	buf_number(&b, name->attempt < JOB_NUMBER_MAX ? name->attempt :
	    JOB_NUMBER_MAX);
	buf_putc(&b, '-');
	buf_puts(&b, name->id);
	buf_free(&b); /* it had room enough, so nothing was allocated */
}

bool
job_name_parse(struct job_name *name, const char *file)
{
	const char *s = file;
	int64_t attempt;

	if (!text_is_digit(s[0]) || (s[1] != '-' && s[1] != '@'))
		return false;
	name->priority = (unsigned char)(s[0] - '0');
	name->timed = s[1] == '@';
	s += 2;
	if (!text_read_stamp(&s, &name->stamp) || !text_read_char(&s, '-') ||
	    !text_read_number(&s, JOB_NUMBER_MAX, &attempt) ||
	    !text_read_char(&s, '-') || !job_id_valid(s))
		return false;
	name->attempt = (unsigned)attempt;
	memcpy(name->id, s, strlen(s) + 1);
	name->parent[0] = '\0';
	return true;
}

int
job_name_compare(const struct job_name *a, const struct job_name *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->stamp != b->stamp)
		return a->stamp < b->stamp ? -1 : 1;
	return strcmp(a->id, b->id);
}
