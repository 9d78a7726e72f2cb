/*
 * text.c: numbers, times and words as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "job/text.h"

enum { SECOND = 1000000 };

bool
text_read_char(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

bool
text_read_number(const char **s, int64_t max, int64_t *n)
{
	const char *p = *s;
	int64_t v = 0;

	if (!text_is_digit(p[0]) || (p[0] == '0' && text_is_digit(p[1])))
		return false;
	for (; text_is_digit(*p); p++) {
		if (v > (max - (*p - '0')) / 10)
			return false;
		v = v * 10 + (*p - '0');
	}
	if (v > max)
		return false;
	*s = p;
	*n = v;
	return true;
}

bool
job_number_parse(const char *s, int64_t min, int64_t max, int64_t *n)
{
	int64_t v;

	if (!text_read_number(&s, max, &v) || *s || v < min)
		return false;
	*n = v;
	return true;
}

/* Exactly `n` digits. */
static bool
read_digits(const char **s, int n, int *value)
{
	const char *p = *s, *end = p + n;
	int v = 0;

	for (; p < end; p++) {
		if (!text_is_digit(*p))
			return false;
		v = v * 10 + (*p - '0');
	}
	*s = p;
	*value = v;
	return true;
}

/* Writes the last `n` decimal digits of `value`; returns their end. */
static char *
put_digits(char *p, int64_t value, int n)
{
	for (int i = n; i-- > 0; value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + n;
}

/* Reads a fraction of a second as microseconds and drops the digits after the
 * sixth.  Returns how many digits there were. */
static int
read_fraction(const char **s, int *us)
{
	int n;

	*us = 0;
	for (n = 0; text_is_digit(**s); ++*s) {
		if (n < 6)
			*us = *us * 10 + (**s - '0');
		if (n < INT_MAX)
			n++;
	}
	for (int i = n; i < 6; i++)
		*us *= 10;
	return n;
}

struct civil {
	int year, month, day, hour, minute, second, us;
};

/*
 * Days since 1970-01-01, and back, by the arithmetic of Howard Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms" (days_from_civil,
 * civil_from_days): the year begins in March, so that the leap day is its
 * last, and 400 years are one era of 146097 days.  For years after 0 only.
 */
static int64_t
days_from_civil(int y, int m, int d)
{
	int era, yoe, doy;

	y -= m <= 2;
	era = y / 400;
	yoe = y % 400;
	doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy -
	    719468;
}

static void
civil_from_days(int64_t days, struct civil *c)
{
	int z = (int)days + 719468;
	int era = z / 146097, doe = z % 146097;
	int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int mp = (5 * doy + 2) / 153;

	c->day = doy - (153 * mp + 2) / 5 + 1;
	c->month = mp < 10 ? mp + 3 : mp - 9;
	c->year = era * 400 + yoe + (c->month <= 2);
}

int64_t
text_clamp_time(int64_t time)
{
	return time < 0 ? 0 : time > JOB_TIME_MAX ? JOB_TIME_MAX : time;
}

static void
civil_from_time(int64_t time, struct civil *c)
{
	int64_t seconds;
	int rest;

	time = text_clamp_time(time);
	seconds = time / SECOND;
	rest = (int)(seconds % 86400);
	civil_from_days(seconds / 86400, c);
	c->hour = rest / 3600;
	c->minute = rest / 60 % 60;
	c->second = rest % 60;
	c->us = (int)(time % SECOND);
}

/* Local time is `offset` minutes ahead of UTC. */
static bool
time_from_civil(const struct civil *c, int offset, int64_t *time)
{
	static const char lengths[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};
	bool leap = c->year % 4 == 0 && (c->year % 100 || c->year % 400 == 0);
	int64_t t;

	/* A local time of 1969 may be one of 1970 in UTC; one of 1968 is not. */
	if (c->year < 1969 || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > lengths[c->month - 1] + (leap && c->month == 2) ||
	    c->hour > 23 || c->minute > 59 || c->second > 60)
		return false;
	t = days_from_civil(c->year, c->month, c->day) * 86400 +
	    c->hour * 3600 + c->minute * 60 + c->second - offset * 60;
	t = t * SECOND + c->us;
	if (t < 0 || t > JOB_TIME_MAX)
		return false;
	*time = t;
	return true;
}

/* Writes a time as `pattern` with its digits in place of the zeros. */
static void
put_time(char *out, const char *pattern, int64_t time)
{
	char digits[20], *p = digits;
	struct civil c;

	civil_from_time(time, &c);
	p = put_digits(p, c.year, 4);
	p = put_digits(p, c.month, 2);
	p = put_digits(p, c.day, 2);
	p = put_digits(p, c.hour, 2);
	p = put_digits(p, c.minute, 2);
	p = put_digits(p, c.second, 2);
	put_digits(p, c.us, 6);
	for (p = digits; *pattern; pattern++)
		*out++ = *pattern == '0' ? *p++ : *pattern;
	*out = '\0';
}

void
job_stamp_format(char out[JOB_STAMP_LEN + 1], int64_t time)
{
	put_time(out, "00000000T000000.000000Z", time);
}

void
job_time_format(char out[JOB_TIME_LEN + 1], int64_t time)
{
	put_time(out, "0000-00-00T00:00:00.000000Z", time);
}

/* Reads date and time to the second, with the separators of RFC 3339 or with
 * 'T' alone. */
static bool
read_civil(const char **s, bool separators, struct civil *c)
{
	if (!read_digits(s, 4, &c->year) ||
	    (separators && !text_read_char(s, '-')) ||
	    !read_digits(s, 2, &c->month) ||
	    (separators && !text_read_char(s, '-')) ||
	    !read_digits(s, 2, &c->day))
		return false;
	if (**s != 'T' && (!separators || (**s != 't' && **s != ' ')))
		return false;
	++*s;
	return read_digits(s, 2, &c->hour) &&
	    (!separators || text_read_char(s, ':')) &&
	    read_digits(s, 2, &c->minute) &&
	    (!separators || text_read_char(s, ':')) &&
	    read_digits(s, 2, &c->second);
}

bool
text_read_stamp(const char **s, int64_t *time)
{
	struct civil c;

	return read_civil(s, false, &c) && text_read_char(s, '.') &&
	    read_digits(s, 6, &c.us) && text_read_char(s, 'Z') &&
	    c.second < 60 && time_from_civil(&c, 0, time);
}

/* "Z" or "+HH:MM", at the end of a time. */
static bool
read_offset(const char *s, int *offset)
{
	bool behind = *s == '-';
	int hours, minutes;

	*offset = 0;
	if (*s == 'Z' || *s == 'z')
		return s[1] == '\0';
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!read_digits(&s, 2, &hours) || !text_read_char(&s, ':') ||
	    !read_digits(&s, 2, &minutes) || *s ||
	    hours > 23 || minutes > 59)
		return false;
	*offset = (hours * 60 + minutes) * (behind ? -1 : 1);
	return true;
}

/* A leap second, second 60, has no number of its own in the count of seconds
 * since 1970; it is read as the first second of the next minute. */
bool
job_time_parse(const char *s, int64_t *time)
{
	struct civil c;
	int offset;

	if (!read_civil(&s, true, &c))
		return false;
	c.us = 0;
	if (text_read_char(&s, '.') && read_fraction(&s, &c.us) == 0)
		return false;
	return read_offset(s, &offset) && time_from_civil(&c, offset, time);
}

void
job_seconds_format(struct buf *b, int64_t us)
{
	if (us < 0)
		us = 0;
	buf_printf(b, "%lld.%06lld", (long long)(us / SECOND),
	    (long long)(us % SECOND));
	if (b->failed)
		return;
	while (b->p[b->n - 1] == '0')
		b->n--;
	b->n -= b->p[b->n - 1] == '.';
	b->p[b->n] = '\0';
}

static const struct {
	char letter;
	int seconds;
} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };

enum { UNITS = sizeof units / sizeof units[0] };

void
job_span_format(struct buf *b, int64_t us)
{
	int i = us > 0 ? UNITS - 1 : 0;

	while (i > 0 && us % (units[i].seconds * (int64_t)SECOND))
		i--;
	job_seconds_format(b, us / units[i].seconds);
	if (us > 0)
		buf_putc(b, units[i].letter);
}

bool
job_span_parse(const char *s, int64_t *us)
{
	int64_t t, factor;
	int fraction = 0, n, i = 0;

	if (!text_read_number(&s, JOB_NUMBER_MAX, &t))
		return false;
	if (text_read_char(&s, '.')) {
		n = read_fraction(&s, &fraction);
		if (n < 1 || n > 6)
			return false;
	}
	while (i < UNITS && *s != units[i].letter)
		i++;
	s += i < UNITS;
	factor = i < UNITS ? units[i].seconds : 1;
	t = t * SECOND + fraction;
	if (*s || t > (int64_t)JOB_NUMBER_MAX * SECOND / factor)
		return false;
	*us = t * factor;
	return true;
}

enum { CODE_MAX = 255 };

bool
job_codes_have(const struct job_codes *c, int code)
{
	return code > 0 && code <= CODE_MAX &&
	    c->bit[code / 32] >> code % 32 & 1;
}

/* 0: there is no code at *s.  Leading zeros are allowed. */
static int
read_code(const char **s)
{
	int n = 0;

	for (; text_is_digit(**s) && n <= CODE_MAX; ++*s)
		n = 10 * n + (**s - '0');
	return n <= CODE_MAX ? n : 0;
}

bool
job_codes_parse(const char *s, struct job_codes *c)
{
	int low, high;

	*c = (struct job_codes){ { 0 } };
	if (!*s)
		return true;
	do {
		low = high = read_code(&s);
		if (text_read_char(&s, '-'))
			high = read_code(&s);
		if (!low || high < low)
			return false;
		for (; low <= high; low++)
			c->bit[low / 32] |= 1U << low % 32;
	} while (text_read_char(&s, ','));
	return !*s;
}

void
job_codes_format(struct buf *b, const struct job_codes *c)
{
	const char *comma = "";
	int low, high;

	for (low = 1; low <= CODE_MAX; low = high + 1) {
		high = low;
		if (!job_codes_have(c, low))
			continue;
		while (job_codes_have(c, high + 1))
			high++;
		buf_printf(b, "%s%d", comma, low);
		if (high > low)
			buf_printf(b, "-%d", high);
		comma = ",";
	}
}

/* The second byte's range rules out overlong forms, surrogates and characters
 * beyond U+10FFFF (RFC 3629, section 4). */
size_t
text_utf8_length(const char *p, const char *end)
{
	const unsigned char *s = (const unsigned char *)p;
	size_t left = (size_t)(end - p), n, i;
	unsigned low, high;

	if (left == 0)
		return 0;
	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
	high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	if (left < n || s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

bool
text_is_utf8(const char *s, size_t len)
{
	const char *end = s + len;
	size_t n;

	while ((n = text_utf8_length(s, end)) > 0)
		s += n;
	return s == end;
}

uint32_t
text_hash(uint32_t hash, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	while (n-- > 0)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

/* Whether a character steers a terminal: C0, DEL, U+0080 to U+009F, or one of
 * those that turn the direction of the text around (UAX #9: U+061C, U+200E,
 * U+200F, U+202A to U+202E, U+2066 to U+2069). */
static bool
is_control(const char *s)
{
	const unsigned char *c = (const void *)s;

	if (c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0) ||
	    (c[0] == 0xd8 && c[1] == 0x9c))
		return true;
	if (c[0] != 0xe2 || (c[1] != 0x80 && c[1] != 0x81))
		return false;
	return c[1] == 0x80 ? c[2] == 0x8e || c[2] == 0x8f ||
	    (c[2] >= 0xaa && c[2] <= 0xae) : c[2] >= 0xa6 && c[2] <= 0xa9;
}

void
job_escape(struct buf *b, const char *s, size_t max)
{
	const char *end = s + strlen(s);
	char unit[5];
	size_t n, len, used = 0;

	for (; s < end; s += n, used += len) {
		unsigned char c = (unsigned char)*s;

		len = n = text_utf8_length(s, end);
		if (n == 0 || is_control(s)) {
			n = 1;
			len = (size_t)(c == '\n' || c == '\t' ?
			    sprintf(unit, "\\%c", c == '\n' ? 'n' : 't') :
			    sprintf(unit, "\\x%02x", c));
		} else {
			memcpy(unit, s, n);
		}
		if (max && used + len > max) {
			buf_puts(b, "…");
			return;
		}
		buf_add(b, unit, len);
	}
}

/* '-' and '_' are the same in a key. */
static bool
is_same_letter(char a, char b)
{
	return (a == '_' ? '-' : a) == (b == '_' ? '-' : b);
}

bool
text_same_key(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (!is_same_letter(*a, *b))
			return false;
	return *a == *b;
}

/* How many letters must be added, dropped, replaced or exchanged with their
 * neighbours (the optimal string alignment distance); words beyond 31 bytes are
 * far from everything. */
static size_t
distance(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b), i, j, best;
	unsigned char d[32][32];

	if (m > 31 || n > 31)
		return 99;
	for (i = 0; i <= m; i++)
		for (j = 0; j <= n; j++) {
			best = i + j;
			if (i && j)
				best = d[i - 1][j - 1] +
				    !is_same_letter(a[i - 1], b[j - 1]);
			if (i && d[i - 1][j] + 1u < best)
				best = d[i - 1][j] + 1u;
			if (j && d[i][j - 1] + 1u < best)
				best = d[i][j - 1] + 1u;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1u < best)
				best = d[i - 2][j - 2] + 1u;
			d[i][j] = (unsigned char)best;
		}
	return d[m][n];
}

void
text_guess(struct text_guess *g, const char *word, const char *name)
{
	size_t m = strlen(word), n = strlen(name);
	bool part = m > 2 && n > 2 &&
	    (strstr(word, name) || strstr(name, word));
	size_t d = part ? 1 : distance(word, name);

	if (d > (m > n ? m : n) / 3 || (g->name && d >= g->distance))
		return;
	g->name = name;
	g->distance = d;
}
