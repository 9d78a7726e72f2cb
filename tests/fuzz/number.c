/*
 * number.c: what words of the command line hold: numbers, times, ids.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>

#include "fuzz.h"

static void
any_time(int64_t t)
{
	int64_t clamped = t < 0 ? 0 : t > JOB_TIME_MAX ? JOB_TIME_MAX : t;
	int64_t back;
	char text[JOB_TIME_LEN + 1];
	char id[JOB_ID_MAX + 1], later[JOB_ID_MAX + 1];

	job_time_format(text, t);
	must(strlen(text) == JOB_TIME_LEN);
	must(job_time_parse(text, &back) && back == clamped);
	/* until 36^10 */
	t = clamped % INT64_C(3656158440062975);
	job_id_make(id, t);
	job_id_make(later, t + 1);
	must(job_id_valid(id) && strcmp(id, later) < 0);
}

static void
any_duration(int64_t us)
{
	struct buf b = { 0 };
	int64_t back;

	job_seconds_format(&b, us);
	if (us <= (int64_t)JOB_NUMBER_MAX * 1000000) {
		must(job_span_parse(b.p, &back));
		must(back == (us < 0 ? 0 : us));
	} else {
		must(!job_span_parse(b.p, &back));
	}
	buf_clear(&b);
	job_span_format(&b, us);
	must(job_span_parse(b.p, &back) ==
	    (us <= (int64_t)JOB_NUMBER_MAX * 1000000));
	must(us > (int64_t)JOB_NUMBER_MAX * 1000000 ||
	    back == (us < 0 ? 0 : us));
	buf_free(&b);
}

static void
any_backoff(int base, unsigned n, int max)
{
	int wait = job_backoff(base, n, max);

	must(wait >= 0 && wait <= (max > 0 ? max : 0));
	must(n == UINT_MAX || job_backoff(base, n + 1, max) >= wait ||
	    base <= 0);
	must(n != 1 || base <= 0 || max <= 0 ||
	    wait == (base < max ? base : max));
}

/* However it was written: what it is written as means the same. */
static void
read_words(const char *s)
{
	struct buf b = { 0 };
	int64_t n = 0, again = -1;

	if (job_number_parse(s, 0, INT64_MAX, &n)) {
		buf_printf(&b, "%lld", (long long)n);
		must(!strcmp(b.p, s));
		must(job_number_parse(s, 0, n, &again) && again == n);
		must(n == INT64_MAX ||
		    !job_number_parse(s, n + 1, INT64_MAX, &again));
		must(n == 0 || !job_number_parse(s, 0, n - 1, &again));
		must(job_span_parse(s, &again) == (n <= JOB_NUMBER_MAX));
	}
	if (job_span_parse(s, &n)) {
		must(n >= 0 && n <= (int64_t)JOB_NUMBER_MAX * 1000000);
		any_duration(n);
	}
	if (job_time_parse(s, &n)) {
		char text[JOB_TIME_LEN + 1];

		must(n >= 0 && n <= JOB_TIME_MAX);
		any_time(n);
		job_time_format(text, n);
		/* Written as we write, but for a leap second: not changed. */
		if (strlen(s) == JOB_TIME_LEN && strchr(s, 'T') == s + 10 &&
		    strchr(s, '.') == s + 19 && strchr(s, 'Z') &&
		    strncmp(s + 17, "60", 2) != 0)
			must(!strcmp(s, text));
	}
	if (job_id_valid(s))
		must(strlen(s) <= JOB_ID_MAX && !strpbrk(s, "/ \n"));
	buf_free(&b);
}

void
fuzz_number(const char *p, size_t n)
{
	char *s = fuzz_copy(p, n);
	int64_t t;
	int base, max;

	read_words(s);
	free(s);
	if (n < sizeof t)
		return;
	memcpy(&t, p, sizeof t);
	any_time(t);
	any_duration(t);
	memcpy(&base, p, sizeof base);
	memcpy(&max, p + sizeof base, sizeof max);
	any_backoff(base, (unsigned)n % 40, max);
	any_backoff(base % 100, (unsigned char)p[7], max);
}
