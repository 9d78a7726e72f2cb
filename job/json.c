/*
 * json.c: strict JSON, by recursive descent.
 *
 * The text is read once from left to right.  Lines and columns are counted by a
 * mark that only moves forward, so the time is linear in the length of any
 * text.  JSON_DEPTH bounds the recursion.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "job/json.h"

struct parser {
	const char *p, *end;     /* what is still unread */
	const char *mark;        /* a place already passed... */
	size_t line, column;     /* ...and its position */
	struct buf scratch;      /* the string being decoded */
	struct json_error *error;
};

/* Moves the mark forward to `at`; an `at` before the mark leaves it. */
static void
move_mark(struct parser *s, const char *at)
{
	for (; s->mark < at; s->mark++) {
		if (*s->mark == '\n') {
			s->line++;
			s->column = 1;
		} else if (((unsigned char)*s->mark & 0xc0) != 0x80) {
			s->column++;
		}
	}
}

/* Returns false, so that an error is one statement.  An `at` before the mark
 * means the mark. */
static bool
fail(struct parser *s, const char *at, const char *what)
{
	move_mark(s, at);
	*s->error = (struct json_error){ s->line, s->column, what };
	return false;
}

static bool
fail_memory(struct parser *s)
{
	*s->error = (struct json_error){ 0, 0, "out of memory" };
	return false;
}

/* The next byte, or NUL at the end. */
static char
peek(const struct parser *s)
{
	return s->p < s->end ? *s->p : '\0';
}

static void
skip_space(struct parser *s)
{
	while (peek(s) && strchr(" \t\n\r", *s->p))
		s->p++;
}

static bool
copy(struct parser *s, const char *p, size_t n, char **text)
{
	*text = malloc(n + 1);
	if (!*text)
		return fail_memory(s);
	if (n)
		memcpy(*text, p, n);
	(*text)[n] = '\0';
	return true;
}

/* Reads XXXX of \uXXXX. */
static bool
parse_hex(struct parser *s, unsigned *code)
{
	int i;
	char c;

	*code = 0;
	for (i = 0; i < 4; i++) {
		c = peek(s);
		if (text_is_digit(c))
			*code = *code * 16 + (unsigned)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			*code = *code * 16 + (unsigned)((c | 0x20) - 'a') + 10;
		else
			return false;
		s->p++;
	}
	return true;
}

static void
add_utf8(struct buf *b, unsigned code)
{
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int more = (code >= 0x80) + (code >= 0x800) + (code >= 0x10000);

	buf_putc(b, (char)(lead[more] | code >> 6 * more));
	while (more-- > 0)
		buf_putc(b, (char)(0x80 | (code >> 6 * more & 0x3f)));
}

/* Reads what follows the "\u" at `at`. */
static bool
parse_unicode(struct parser *s, const char *at)
{
	static const char digits[] = "\\u needs four hexadecimal digits";
	unsigned code, low;

	if (!parse_hex(s, &code))
		return fail(s, at, digits);
	if (code == 0)
		return fail(s, at, "\\u0000 is not allowed");
	if (code >= 0xd800 && code < 0xe000) {
		if (code >= 0xdc00 || s->end - s->p < 2 ||
		    s->p[0] != '\\' || s->p[1] != 'u')
			return fail(s, at, "unpaired surrogate");
		s->p += 2;
		if (!parse_hex(s, &low))
			return fail(s, at + 6, digits);
		if (low < 0xdc00 || low > 0xdfff)
			return fail(s, at, "unpaired surrogate");
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(&s->scratch, code);
	return true;
}

/* At a backslash that is not the last byte. */
static bool
parse_escape(struct parser *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = s->p, *found;

	s->p += 2;
	if (at[1] == 'u')
		return parse_unicode(s, at);
	found = at[1] ? strchr(from, at[1]) : NULL;
	if (!found)
		return fail(s, at, "unknown escape in a string (a backslash "
		    "is written \\\\)");
	buf_putc(&s->scratch, to[found - from]);
	return true;
}

/* At an opening quote; an unclosed string is reported there. */
static bool
parse_string(struct parser *s, char **text)
{
	const char *run;
	size_t n;

	move_mark(s, s->p);
	buf_clear(&s->scratch);
	for (run = ++s->p; s->p < s->end && *s->p != '"';) {
		if (*s->p == '\\' && s->end - s->p > 1) {
			buf_add(&s->scratch, run, (size_t)(s->p - run));
			if (!parse_escape(s))
				return false;
			run = s->p;
			continue;
		}
		if ((unsigned char)*s->p < 0x20)
			return fail(s, s->p, *s->p == '\n' ?
			    "control character in a string (write \\n for a "
			    "newline)" : "control character in a string "
			    "(write \\t for a tab, \\u00XX for others)");
		n = text_utf8_length(s->p, s->end);
		if (n == 0)
			return fail(s, s->p, "not UTF-8");
		s->p += n;
	}
	if (s->p == s->end)
		return fail(s, s->mark, "a string is not closed");
	buf_add(&s->scratch, run, (size_t)(s->p++ - run));
	if (s->scratch.failed)
		return fail_memory(s);
	return copy(s, s->scratch.p, s->scratch.n, text);
}

static bool
skip_digits(struct parser *s, const char *what)
{
	if (!text_is_digit(peek(s)))
		return fail(s, s->p, what);
	while (text_is_digit(peek(s)))
		s->p++;
	return true;
}

static bool
parse_number(struct parser *s, struct json *v)
{
	const char *begin = s->p, *digits;

	s->p += *s->p == '-';
	digits = s->p;
	if (!skip_digits(s, "a digit must follow '-'"))
		return false;
	if (*digits == '0' && s->p - digits > 1)
		return fail(s, digits, "numbers have no leading zeros");
	if (peek(s) == '.') {
		s->p++;
		if (!skip_digits(s, "a digit must follow the decimal point"))
			return false;
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->p++;
		s->p += peek(s) == '+' || peek(s) == '-';
		if (!skip_digits(s, "a digit must follow the exponent's 'e'"))
			return false;
	}
	v->type = JSON_NUMBER;
	return copy(s, begin, (size_t)(s->p - begin), &v->text);
}

static bool
parse_word(struct parser *s, struct json *v)
{
	static const char *const words[] = { [JSON_NULL] = "null",
		[JSON_FALSE] = "false", [JSON_TRUE] = "true" };
	const char *begin = s->p;
	size_t n;

	while (text_is_letter(peek(s)) || text_is_digit(peek(s)) ||
	    peek(s) == '_')
		s->p++;
	n = (size_t)(s->p - begin);
	for (v->type = JSON_NULL; v->type <= JSON_TRUE; v->type++)
		if (strlen(words[v->type]) == n &&
		    memcmp(words[v->type], begin, n) == 0)
			return true;
	return fail(s, begin, "unknown word (JSON has true, false and null; "
	    "strings are in double quotes)");
}

/* Reads a member's name and the colon; the name is the caller's in any case. */
static bool
parse_key(struct parser *s, char **key)
{
	skip_space(s);
	if (s->p == s->end)
		return fail(s, s->p, "the text ends inside an object");
	if (*s->p != '"')
		return fail(s, s->p, "a member begins with its name in double "
		    "quotes");
	if (!parse_string(s, key))
		return false;
	skip_space(s);
	if (peek(s) != ':')
		return fail(s, s->p, "expected ':' after a member's name");
	s->p++;
	return true;
}

/* Reads a value.  Of an array or an object this is the bracket alone. */
static bool
parse_value(struct parser *s, struct json *v)
{
	switch (*s->p) {
	case '[':
	case '{':
		v->type = *s->p++ == '{' ? JSON_OBJECT : JSON_ARRAY;
		return true;
	case '"':
		v->type = JSON_STRING;
		return parse_string(s, &v->text);
	case '\'':
		return fail(s, s->p, "strings are in double quotes");
	case '+':
	case '.':
		return fail(s, s->p, "numbers begin with a digit or '-'");
	case ',':
	case ']':
	case '}':
		return fail(s, s->p, "a value is missing");
	default:
		if (*s->p == '-' || text_is_digit(*s->p))
			return parse_number(s, v);
		if (text_is_letter(*s->p))
			return parse_word(s, v);
		return fail(s, s->p, text_utf8_length(s->p, s->end) ?
		    "no JSON value begins with this character" : "not UTF-8");
	}
}

/* Makes the value that comes next. */
static struct json *
make_value(struct parser *s)
{
	struct json *v;

	skip_space(s);
	if (s->p == s->end) {
		fail(s, s->p, "the text ends where a value should be");
		return NULL;
	}
	v = calloc(1, sizeof *v);
	if (!v) {
		fail_memory(s);
		return NULL;
	}
	move_mark(s, s->p);
	v->line = s->line;
	v->column = s->column;
	return v;
}

static bool
is_container(const struct json *v)
{
	return v->type == JSON_ARRAY || v->type == JSON_OBJECT;
}

static char
closing(const struct json *container)
{
	return container->type == JSON_OBJECT ? '}' : ']';
}

/* Behind a value in a container: what must come.  true: the container may end
 * or go on here. */
static bool
check_separator(struct parser *s, const struct json *container)
{
	bool object = container->type == JSON_OBJECT;

	if (s->p == s->end)
		return fail(s, s->p, object ?
		    "the text ends inside an object" :
		    "the text ends inside an array");
	if (*s->p != ',' && *s->p != closing(container))
		return fail(s, s->p, object ?
		    "expected ',' or '}' after a member" :
		    "expected ',' or ']' after an element");
	return true;
}

/* Reads a value with all that is in it.  It does not recurse: a stack may be
 * small. */
static bool
parse_tree(struct parser *s, struct json **root)
{
	struct json *open[JSON_DEPTH], *v, **place = root;
	size_t n = 0;
	char *key;

	do {
		key = NULL;
		v = n && open[n - 1]->type == JSON_OBJECT &&
		    !parse_key(s, &key) ? NULL : make_value(s);
		*place = v;
		if (!v) {
			free(key);
			return false;
		}
		v->key = key;
		place = &v->next;
		if (n == JSON_DEPTH && (*s->p == '[' || *s->p == '{'))
			return fail(s, s->p, "more than 512 levels of nesting");
		if (!parse_value(s, v))
			return false;
		skip_space(s);
		if (is_container(v)) {
			open[n++] = v;
			place = &v->child;
			if (peek(s) != closing(v))
				continue;
		}
		/* the end of all containers that end here */
		for (; n && check_separator(s, open[n - 1]) && *s->p != ',';
		    skip_space(s)) {
			s->p++;
			place = &open[--n]->next;
		}
		if (n && (s->p == s->end || *s->p++ != ','))
			return false;
	} while (n);
	return true;
}

struct json *
json_parse(const char *text, size_t len, struct json_error *error)
{
	struct parser s = { .line = 1, .column = 1, .error = error };
	struct json *v = NULL;
	bool ok = false;

	if (!text)
		text = "";  /* the bytes of an empty struct buf */
	s.p = s.mark = text;
	s.end = text + len;
	skip_space(&s);
	if (s.p == s.end)
		fail(&s, text, len ? "nothing but white space" :
		    "nothing at all");
	else if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		fail(&s, text, "a byte order mark before the JSON value");
	else
		ok = parse_tree(&s, &v);
	if (ok && s.p < s.end)
		ok = fail(&s, s.p, "text after the JSON value");
	if (!ok) {
		json_free(v);
		v = NULL;
	}
	buf_free(&s.scratch);
	return v;
}

void
json_free(struct json *v)
{
	struct json *next, **last;

	for (; v; v = next) {
		/* what is in it takes its place */
		for (last = &v->child; *last; last = &(*last)->next)
			;
		*last = v->next;
		next = v->child;
		free(v->key);
		free(v->text);
		free(v);
	}
}

const char *
json_type_name(enum json_type type)
{
	static const char *const names[] = {
		[JSON_NULL] = "null", [JSON_FALSE] = "false",
		[JSON_TRUE] = "true", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};

	return names[type];
}

/* Escapes more than JSON asks for, DEL and the C1 controls, because the output
 * may end up on a terminal. */
void
json_quote(struct buf *b, const char *s)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *end = s + strlen(s), *found;
	unsigned char c;
	size_t n;

	buf_putc(b, '"');
	for (; s < end; s += n) {
		c = (unsigned char)*s;
		n = text_utf8_length(s, end);
		found = strchr(from, c);
		if (n == 0) {
			buf_puts(b, "\xef\xbf\xbd");
			n = 1;
		} else if (found) {
			buf_putc(b, '\\');
			buf_putc(b, to[found - from]);
		} else if (c < 0x20 || c == 0x7f) {
			buf_printf(b, "\\u%04x", c);
		} else if (c == 0xc2 && (unsigned char)s[1] < 0xa0) {
			buf_printf(b, "\\u%04x", (unsigned char)s[1]);
		} else {
			buf_add(b, s, n);
		}
	}
	buf_putc(b, '"');
}

void
json_member(struct buf *b, const char *key)
{
	if (b->n && b->p[b->n - 1] != '{')
		buf_putc(b, ',');
	json_quote(b, key);
	buf_putc(b, ':');
}

void
json_member_string(struct buf *b, const char *key, const char *s)
{
	json_member(b, key);
	json_quote(b, s);
}

void
json_member_number(struct buf *b, const char *key, int64_t n)
{
	json_member(b, key);
	buf_number(b, n);
}

void
json_member_bool(struct buf *b, const char *key, bool yes)
{
	json_member(b, key);
	buf_puts(b, yes ? "true" : "false");
}

void
json_member_list(struct buf *b, const char *key, const char *strings)
{
	const char *comma = "[\"";
	size_t n;

	json_member(b, key);
	for (; *strings == '+'; strings += n) {
		n = 1 + strcspn(strings + 1, "+");
		buf_puts(b, comma);
		buf_add(b, strings + 1, n - 1);
		comma = "\",\"";
	}
	buf_puts(b, "\"]");
}
