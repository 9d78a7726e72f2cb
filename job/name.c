/*
 * name.c: a job's id, its file name and its state.
 *
 * The name of a job in a state directory is
 *
 *	PRIORITY SEP STAMP - ATTEMPT - ID [+LOCK ...]
 *
 *	5-20261124T053012.345678Z-0-job1
 *	5-20261124T053012.345678Z-0-nightly+db+gpu
 *
 * PRIORITY is one digit, 0 runs first.  SEP is '-' (STAMP only orders) or '@'
 * (not before STAMP).  STAMP is UTC, YYYYMMDDTHHMMSS.uuuuuuZ.  ATTEMPT is the
 * number of attempts charged, decimal, from 0 to 2147483647.  ID is 1-64 of
 * A-Za-z0-9._-, and the first is a letter, a digit or '_'.  LOCK is 1-32 of the
 * same, and there are at most four, in the order of their bytes, each once.
 * There is one way to write a name: no leading zeros, no second 60.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

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

/* The length of the id or the name of a lock that `s` begins with, which ends at
 * a '+' or at the end; 0: it is none, or longer than `max`. */
static size_t
word_length(const char *s, size_t max)
{
	size_t n;

	if (*s == '.' || *s == '-')
		return 0;
	for (n = 0; s[n] && s[n] != '+'; n++) {
		if (n == max || (!text_is_letter(s[n]) &&
		    !text_is_digit(s[n]) && !strchr("._-", s[n])))
			return 0;
	}
	return n;
}

bool
job_id_valid(const char *id)
{
	size_t n = word_length(id, JOB_ID_MAX);

	return n && !id[n];
}

bool
job_lock_valid(const char *lock)
{
	size_t n = word_length(lock, JOB_LOCK_MAX);

	return n && !lock[n];
}

/* Whether a set has the character; `set` is behind the '[', and *end becomes
 * what is behind the ']'.  A set without an end has none. */
static bool
set_has(const char *set, char c, const char **end)
{
	bool others = *set == '!' || *set == '^', found = false;
	const char *s = set + others;
	char low, high;

	do {
		low = high = *s++;
		if (!low)
			return false;
		if (*s == '-' && s[1] && s[1] != ']') {
			high = s[1];
			s += 2;
		}
		found |= c >= low && c <= high;
	} while (*s != ']');
	*end = s + 1;
	return found != others;
}

bool
job_id_matches(const char *pattern, const char *id)
{
	const char *star = NULL, *again = NULL; /* behind the last '*', and how
	                                         * far it reaches */
	const char *end;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			again = id;
		} else if (*id && *pattern == '?') {
			pattern++;
			id++;
		} else if (*id && *pattern == '[' &&
		    set_has(pattern + 1, *id, &end)) {
			pattern = end;
			id++;
		} else if (*pattern == *id) {
			if (!*id)
				return true;
			pattern++;
			id++;
		} else if (star && *again) {
			pattern = star;
			id = ++again;
		} else {
			return false;
		}
	}
}

bool
job_lock_next(const char **locks, char lock[JOB_LOCK_MAX + 1])
{
	size_t n = **locks ? strcspn(*locks + 1, "+") : 0;

	if (!n)
		return false;
	memcpy(lock, *locks + 1, n);
	lock[n] = '\0';
	*locks += 1 + n;
	return true;
}

bool
job_lock_among(const char *locks, const char *lock)
{
	char other[JOB_LOCK_MAX + 1];

	while (job_lock_next(&locks, other))
		if (!strcmp(other, lock))
			return true;
	return false;
}

static char
variable_char(char c)
{
	return text_is_letter(c) || text_is_digit(c) ? c : '_';
}

void
job_lock_variable(struct buf *b, const char *lock)
{
	buf_puts(b, "QUEUECTL_LOCK_");
	for (; *lock; lock++)
		buf_putc(b, variable_char(*lock));
}

static bool
same_variable(const char *a, const char *b)
{
	while (*a && *b && variable_char(*a) == variable_char(*b)) {
		a++;
		b++;
	}
	return !*a && !*b;
}

const char *
job_locks_join(char out[JOB_LOCKS_LEN + 1], const char **lock, size_t n)
{
	struct buf b;
	size_t i, k;

	*out = '\0';
	if (n > JOB_LOCKS)
		return "a job can have at most four locks";
	buf_on(&b, out, JOB_LOCKS_LEN + 1);
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			if (same_variable(lock[k], lock[i]))
				return "two locks would give their job the "
				    "same variable, QUEUECTL_LOCK_NAME";
	for (i = 1; i < n; i++)
		for (k = i; k && strcmp(lock[k - 1], lock[k]) > 0; k--) {
			const char *less = lock[k];

			lock[k] = lock[k - 1];
			lock[k - 1] = less;
		}
	for (i = 0; i < n; i++) {
		buf_putc(&b, '+');
		buf_puts(&b, lock[i]);
	}
	buf_free(&b); /* it had room enough, so nothing was allocated */
	return NULL;
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
	buf_puts(&b, name->locks);
	buf_free(&b); /* it had room enough, so nothing was allocated */
}

/* Reads the locks behind an id.  false: they are not in order, or no names. */
static bool
read_locks(char locks[JOB_LOCKS_LEN + 1], const char *s)
{
	char before[JOB_LOCK_MAX + 1] = "", lock[JOB_LOCK_MAX + 1];
	const char *at = s;
	int i;

	for (i = 0; *at; i++) {
		if (i == JOB_LOCKS || !word_length(at + 1, JOB_LOCK_MAX) ||
		    !job_lock_next(&at, lock) || strcmp(before, lock) >= 0)
			return false;
		strcpy(before, lock);
	}
	memcpy(locks, s, (size_t)(at - s) + 1);
	return true;
}

bool
job_name_parse(struct job_name *name, const char *file)
{
	const char *s = file;
	int64_t attempt;
	size_t n;

	if (!text_is_digit(s[0]) || (s[1] != '-' && s[1] != '@'))
		return false;
	name->priority = (unsigned char)(s[0] - '0');
	name->timed = s[1] == '@';
	s += 2;
	if (!text_read_stamp(&s, &name->stamp) || !text_read_char(&s, '-') ||
	    !text_read_number(&s, JOB_NUMBER_MAX, &attempt) ||
	    !text_read_char(&s, '-') || !(n = word_length(s, JOB_ID_MAX)) ||
	    !read_locks(name->locks, s + n))
		return false;
	name->attempt = (unsigned)attempt;
	memcpy(name->id, s, n);
	name->id[n] = '\0';
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
