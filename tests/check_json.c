/*
 * check_json.c: what json.h promises, and what strict means.
 *
 * Texts are parsed from memory of exactly their size, so that a sanitizer
 * sees a parser that reads on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "job/json.h"
#include "suite.h"

static struct json *
parse(const char *text, size_t len, struct json_error *error)
{
	char *exact = malloc(len ? len : 1);
	struct json *v;

	if (!exact)
		ck_abort_msg("out of memory");
	memcpy(exact, text, len);
	*error = (struct json_error){ 77, 77, NULL };
	v = json_parse(exact, len, error);
	free(exact);
	return v;
}

/* A tree in one line, without white space. */
static void
print(struct buf *b, const struct json *v)
{
	const struct json *c;

	if (v->key) {
		json_quote(b, v->key);
		buf_putc(b, ':');
	}
	switch (v->type) {
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
		if (v->text || v->child)
			ck_abort_msg("a word with a text or a child");
		buf_puts(b, v->type == JSON_NULL ? "null" :
		    v->type == JSON_TRUE ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_puts(b, v->text);
		break;
	case JSON_STRING:
		json_quote(b, v->text);
		break;
	default:
		if (v->text)
			ck_abort_msg("a container with a text");
		buf_putc(b, v->type == JSON_ARRAY ? '[' : '{');
		for (c = v->child; c; c = c->next) {
			if ((c->key != NULL) != (v->type == JSON_OBJECT))
				ck_abort_msg("a key in the wrong place");
			print(b, c);
			if (c->next)
				buf_putc(b, ',');
		}
		buf_putc(b, v->type == JSON_ARRAY ? ']' : '}');
	}
}

static const struct {
	const char *text, *same;   /* same: NULL if text is printed as it is */
} accepted[] = {
	{ "null", NULL }, { "true", NULL }, { "false", NULL },
	{ "0", NULL }, { "-0", NULL }, { "10", NULL }, { "-1", NULL },
	{ "1.0", NULL }, { "0.10", NULL }, { "1e5", NULL }, { "1E+05", NULL },
	{ "1.5e-999999", NULL }, { "0e0", NULL }, { "-0.0E-0", NULL },
	{ "123456789012345678901234567890123456789012345678901234567890",
	    NULL },
	{ "\"\"", NULL }, { "\"a b\"", NULL }, { "[]", NULL }, { "{}", NULL },
	{ " \t\r\n[ \n] ", "[]" }, { "{ \r\n}", "{}" },
	{ "[1,\"a\",null,[],{}]", NULL }, { "[[[[[[]]]]]]", NULL },
	{ " [ 1 , 2 ] ", "[1,2]" },
	{ "{\"a\":1,\"b\":{\"c\":[true,false]}}", NULL },
	{ "{ \"a\" : 1 , \"b\" : 2 }", "{\"a\":1,\"b\":2}" },
	{ "{\"a\":1,\"a\":2}", NULL }, { "{\"\":0}", NULL },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
	{ "\"\\u0041\\u00e9\\u20AC\\ud83D\\uDe00\"",
	    "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
	{ "\"\\u0001\\u001F\\u007f\"", "\"\\u0001\\u001f\\u007f\"" },
	{ "\"\\u0080\\u00a0\"", "\"\\u0080\xc2\xa0\"" },
	{ "\"\x7f\"", "\"\\u007f\"" },
	{ "\"\\u07ff\\u0800\\uffff\"",
	    "\"\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\"" },
	{ "\"\\ud800\\udc00\\udbff\\udfff\"",
	    "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
	{ "\"\xc2\xa0\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
	    NULL },
	{ "\"\\\\u0000\"", NULL }, { "\"\\u005cu0000\"", "\"\\\\u0000\"" },
	{ "\"// no comment\"", NULL }, { "{\"\\u0061\":\"\\u0062\"}",
	    "{\"a\":\"b\"}" },
};

START_TEST(accepts)
{
	const char *text = accepted[_i].text;
	const char *same = accepted[_i].same ? accepted[_i].same : text;
	struct json_error error;
	struct json *v = parse(text, strlen(text), &error);
	struct buf b = { 0 };

	ck_assert_msg(v != NULL, "%s: %zu:%zu: %s", text, error.line,
	    error.column, error.what);
	ck_assert_ptr_null(v->next);
	ck_assert_ptr_null(v->key);
	print(&b, v);
	ck_assert_str_eq(b.p, same);
	buf_free(&b);
	json_free(v);
}
END_TEST

#define WHITE "nothing but white space"
#define MISSING "a value is missing"
#define AFTER "text after the JSON value"
#define ELEMENT "expected ',' or ']' after an element"
#define MEMBER "expected ',' or '}' after a member"
#define COLON "expected ':' after a member's name"
#define NAME "a member begins with its name in double quotes"
#define WORD "unknown word (JSON has true, false and null; strings are in " \
	"double quotes)"
#define ZEROS "numbers have no leading zeros"
#define OPEN_STRING "a string is not closed"
#define OPEN_ARRAY "the text ends inside an array"
#define OPEN_OBJECT "the text ends inside an object"
#define NO_VALUE "the text ends where a value should be"
#define HEX "\\u needs four hexadecimal digits"
#define SURROGATE "unpaired surrogate"
#define NOT_UTF8 "not UTF-8"
#define BEGINS "no JSON value begins with this character"
#define ESCAPE "unknown escape in a string (a backslash is written \\\\)"
#define NEWLINE "control character in a string (write \\n for a newline)"
#define CONTROL "control character in a string (write \\t for a tab, " \
	"\\u00XX for others)"
#define NUL_CODE "\\u0000 is not allowed"

/* A text and its length: some hold NULs. */
#define S(s) s, sizeof s - 1

static const struct {
	const char *text;
	size_t len, line, column;
	const char *what;
} rejected[] = {
	{ S(""), 1, 1, "nothing at all" },
	{ S(" \n\t\r\n "), 1, 1, WHITE },
	{ S("\xef\xbb\xbf{}"), 1, 1, "a byte order mark before the JSON value" },
	{ S("\v1"), 1, 1, BEGINS }, { S("\xc2\xa0" "1"), 1, 1, BEGINS },
	{ S("\0"), 1, 1, BEGINS }, { S("# x\n1"), 1, 1, BEGINS },
	{ S("/* x */ 1"), 1, 1, BEGINS }, { S("[1,/**/2]"), 1, 4, BEGINS },
	{ S("[1]\0"), 1, 4, AFTER }, { S("1 // x"), 1, 3, AFTER },
	{ S("1 2"), 1, 3, AFTER }, { S("[]]"), 1, 3, AFTER },
	{ S("{}\n\n x"), 3, 2, AFTER }, { S("\"a\"\"b\""), 1, 4, AFTER },
	{ S("truefalse"), 1, 1, WORD }, { S("True"), 1, 1, WORD },
	{ S("nul"), 1, 1, WORD }, { S("NaN"), 1, 1, WORD },
	{ S("[-Infinity]"), 1, 3, "a digit must follow '-'" },
	{ S("Infinity"), 1, 1, WORD }, { S("undefined"), 1, 1, WORD },
	{ S("'a'"), 1, 1, "strings are in double quotes" },
	{ S("{'a':1}"), 1, 2, NAME }, { S("{a:1}"), 1, 2, NAME },
	{ S("{1:1}"), 1, 2, NAME }, { S("{,}"), 1, 2, NAME },
	{ S("{\"a\":1,}"), 1, 8, NAME }, { S("{[]:1}"), 1, 2, NAME },
	{ S("{\"a\":1,,\"b\":2}"), 1, 8, NAME },
	{ S("{\"a\",1}"), 1, 5, COLON }, { S("{\"a\" \"b\"}"), 1, 6, COLON },
	{ S("{\"a\""), 1, 5, COLON }, { S("{\"a\"}"), 1, 5, COLON },
	{ S("{\"a\"::1}"), 1, 6, BEGINS },
	{ S("{\"a\":}"), 1, 6, MISSING }, { S("{\"a\":,}"), 1, 6, MISSING },
	{ S("{\"a\":"), 1, 6, NO_VALUE }, { S("{\"a\":1"), 1, 7, OPEN_OBJECT },
	{ S("{"), 1, 2, OPEN_OBJECT }, { S("{\"a\":1,"), 1, 8, OPEN_OBJECT },
	{ S("{\"a\":1 \"b\":2}"), 1, 8, MEMBER }, { S("{\"a\":1]"), 1, 7, MEMBER },
	{ S("["), 1, 2, NO_VALUE }, { S("[1"), 1, 3, OPEN_ARRAY },
	{ S("[1\n "), 2, 2, OPEN_ARRAY }, { S("[1,"), 1, 4, NO_VALUE },
	{ S("[1 2]"), 1, 4, ELEMENT }, { S("[1}"), 1, 3, ELEMENT },
	{ S("[1,]"), 1, 4, MISSING }, { S("[,1]"), 1, 2, MISSING },
	{ S("[1,,2]"), 1, 4, MISSING }, { S("]"), 1, 1, MISSING },
	{ S("}"), 1, 1, MISSING }, { S(","), 1, 1, MISSING },
	{ S("[\"a\":1]"), 1, 5, ELEMENT },
	{ S("01"), 1, 1, ZEROS }, { S("[-00]"), 1, 3, ZEROS },
	{ S("[0, 007.5]"), 1, 5, ZEROS },
	{ S("-"), 1, 2, "a digit must follow '-'" },
	{ S("--1"), 1, 2, "a digit must follow '-'" },
	{ S("- 1"), 1, 2, "a digit must follow '-'" },
	{ S("+1"), 1, 1, "numbers begin with a digit or '-'" },
	{ S(".5"), 1, 1, "numbers begin with a digit or '-'" },
	{ S("-.5"), 1, 2, "a digit must follow '-'" },
	{ S("1."), 1, 3, "a digit must follow the decimal point" },
	{ S("[1.]"), 1, 4, "a digit must follow the decimal point" },
	{ S("1.e1"), 1, 3, "a digit must follow the decimal point" },
	{ S("1e"), 1, 3, "a digit must follow the exponent's 'e'" },
	{ S("1e+"), 1, 4, "a digit must follow the exponent's 'e'" },
	{ S("1e1.5"), 1, 4, AFTER }, { S("0x10"), 1, 2, AFTER },
	{ S("1_000"), 1, 2, AFTER }, { S("[1a]"), 1, 3, ELEMENT },
	{ S("\""), 1, 1, OPEN_STRING }, { S("[\"abc"), 1, 2, OPEN_STRING },
	{ S("\"abc\\\""), 1, 1, OPEN_STRING }, { S("\"\\"), 1, 1, OPEN_STRING },
	{ S("{\"a\":1,\n \"b"), 2, 2, OPEN_STRING },
	{ S("\"a\nb\""), 1, 3, NEWLINE }, { S("\"\n"), 1, 2, NEWLINE },
	{ S("\"\t\""), 1, 2, CONTROL }, { S("\"\x1f\""), 1, 2, CONTROL },
	{ S("\"a\0b\""), 1, 3, CONTROL }, { S("{\"\r\":1}"), 1, 3, CONTROL },
	{ S("\"\\a\""), 1, 2, ESCAPE }, { S("\"\\x41\""), 1, 2, ESCAPE },
	{ S("\"\\U0041\""), 1, 2, ESCAPE }, { S("\"\\'\""), 1, 2, ESCAPE },
	{ S("\"\\\0\""), 1, 2, ESCAPE }, { S("\"\\\n\""), 1, 2, ESCAPE },
	{ S("\"\\u\""), 1, 2, HEX }, { S("\"\\u12\""), 1, 2, HEX },
	{ S("\"\\u12g4\""), 1, 2, HEX }, { S("\"\\u 123\""), 1, 2, HEX },
	{ S("\"\\u123"), 1, 2, HEX }, { S("\"\\ud800\\u12\""), 1, 8, HEX },
	{ S("\"\\u0000\""), 1, 2, NUL_CODE },
	{ S("{\"a\\u0000\":1}"), 1, 4, NUL_CODE },
	{ S("\"\\ud800\""), 1, 2, SURROGATE },
	{ S("\"x\\udc00\""), 1, 3, SURROGATE },
	{ S("\"\\ud800x\""), 1, 2, SURROGATE },
	{ S("\"\\ud800\\n\""), 1, 2, SURROGATE },
	{ S("\"\\ud800\\ud800\""), 1, 2, SURROGATE },
	{ S("\"\\ud800\\u0041\""), 1, 2, SURROGATE },
	{ S("\"\\udc00\\ud800\""), 1, 2, SURROGATE },
	{ S("\"\\udc00\\udc00\""), 1, 2, SURROGATE },
	{ S("\"\\ud800\\ue000\""), 1, 2, SURROGATE },
	{ S("\"\\ud800"), 1, 2, SURROGATE },
	{ S("\"\xff\""), 1, 2, NOT_UTF8 }, { S("\"\x80\""), 1, 2, NOT_UTF8 },
	{ S("\"\xc3\""), 1, 2, NOT_UTF8 }, { S("\"\xc3"), 1, 2, NOT_UTF8 },
	{ S("\"\xc0\xaf\""), 1, 2, NOT_UTF8 },
	{ S("\"\xe0\x80\xaf\""), 1, 2, NOT_UTF8 },
	{ S("\"\xed\xa0\x80\""), 1, 2, NOT_UTF8 },
	{ S("\"\xf0\x80\x80\x80\""), 1, 2, NOT_UTF8 },
	{ S("\"\xf4\x90\x80\x80\""), 1, 2, NOT_UTF8 },
	{ S("\"\xf5\x80\x80\x80\""), 1, 2, NOT_UTF8 },
	{ S("\"\xe2\x82\""), 1, 2, NOT_UTF8 },
	{ S("\"\xf0\x9f\x98\""), 1, 2, NOT_UTF8 },
	{ S("\xff\xfe" "1\0"), 1, 1, NOT_UTF8 }, { S("[\x80]"), 1, 2, NOT_UTF8 },
	/* Columns count characters, whatever their bytes; lines end at \n. */
	{ S("[\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\" x"), 1, 8, ELEMENT },
	{ S("[\"\xc3\xa9\xff\"]"), 1, 4, NOT_UTF8 },
	{ S("\r\n\r\n  [1,\r\n\t\xe2\x82\xac]"), 4, 2, BEGINS },
	{ S("[\n1,\n\n2\n,]"), 5, 2, MISSING },
	/* The first error is the one named. */
	{ S("[01, \"\\x\", nul"), 1, 2, ZEROS },
	{ S("{\"a\":\"\\ud800\",}"), 1, 7, SURROGATE },
};

START_TEST(rejects)
{
	const char *text = rejected[_i].text;
	struct json_error error;
	struct json *v = parse(text, rejected[_i].len, &error);

	ck_assert_msg(v == NULL, "accepted: %s", text);
	ck_assert_msg(error.what && strcmp(error.what, rejected[_i].what) == 0,
	    "%s: says \"%s\", not \"%s\"", text, error.what,
	    rejected[_i].what);
	ck_assert_msg(error.line == rejected[_i].line &&
	    error.column == rejected[_i].column,
	    "%s: at %zu:%zu, not %zu:%zu", text, error.line, error.column,
	    rejected[_i].line, rejected[_i].column);
}
END_TEST

START_TEST(positions)
{
	static const char text[] =
	    "{\"a\": [1,\n  \"\xc3\xa9\", {}],\n\t\"\xe2\x82\xac\" :\n\n null}";
	struct json_error error;
	struct json *v = parse(text, sizeof text - 1, &error), *a;

	ck_assert_ptr_nonnull(v);
	ck_assert(v->line == 1 && v->column == 1);
	a = v->child;
	ck_assert(a->line == 1 && a->column == 7);
	ck_assert(a->child->line == 1 && a->child->column == 8);
	ck_assert(a->child->next->line == 2 && a->child->next->column == 3);
	ck_assert(a->child->next->next->line == 2 &&
	    a->child->next->next->column == 8);
	ck_assert(a->next->line == 5 && a->next->column == 2);
	json_free(v);
}
END_TEST

/* `n` levels: arrays, or objects and arrays in turn. */
static void
nest(struct buf *b, int n, bool mixed, bool closed)
{
	int i;

	for (i = 0; i < n; i++)
		buf_puts(b, mixed && i % 2 ? "{\"k\":" : "[");
	if (mixed)
		buf_puts(b, "1");
	for (i = n; closed && i-- > 0;)
		buf_puts(b, mixed && i % 2 ? "}" : "]");
	ck_assert(!b->failed);
}

START_TEST(depth)
{
	static const struct {
		int n;
		bool mixed, closed, good;
		size_t column;
	} cases[] = {
		{ 512, false, true, true, 0 }, { 512, true, true, true, 0 },
		{ 513, false, true, false, 513 },
		{ 513, true, true, false, 256 + 256 * 5 + 1 },
		{ 100000, false, false, false, 513 },
		{ 100000, false, true, false, 513 },
		{ 100000, true, false, false, 256 + 256 * 5 + 1 },
	};
	struct json_error error;
	struct buf b = { 0 };
	struct json *v;

	nest(&b, cases[_i].n, cases[_i].mixed, cases[_i].closed);
	v = parse(b.p, b.n, &error);
	ck_assert_int_eq(v != NULL, cases[_i].good);
	if (!v) {
		ck_assert_str_eq(error.what, "more than 512 levels of nesting");
		ck_assert_uint_eq(error.line, 1);
		ck_assert_uint_eq(error.column, cases[_i].column);
	}
	json_free(v);
	buf_free(&b);
}
END_TEST

/* Depth is nesting, not the number of arrays. */
START_TEST(depth_of_siblings)
{
	struct json_error error;
	struct buf b = { 0 };
	struct json *v;
	int i;

	buf_putc(&b, '[');
	for (i = 0; i < 2000; i++)
		buf_puts(&b, "[{}],");
	nest(&b, 511, false, true);
	buf_putc(&b, ']');
	v = parse(b.p, b.n, &error);
	ck_assert_ptr_nonnull(v);
	json_free(v);
	buf_free(&b);
}
END_TEST

/* Ten megabytes each; what is not linear in them runs out of time. */
START_TEST(large)
{
	static const char *const pieces[] = {
		"1,", "\"a\",", "[],", "\n", "{\"k\":\"\xc3\xa9\\n\"},",
	};
	struct json_error error;
	struct buf b = { 0 };
	struct json *v, *c;
	size_t n = 0, count = 0;

	buf_putc(&b, '[');
	for (; b.n < 10000000; n++)
		buf_puts(&b, pieces[_i]);
	buf_puts(&b, "0]");
	v = parse(b.p, b.n, &error);
	ck_assert_ptr_nonnull(v);
	for (c = v->child; c; c = c->next)
		count++;
	ck_assert_uint_eq(count, pieces[_i][0] == '\n' ? 1 : n + 1);
	json_free(v);
	buf_free(&b);
}
END_TEST

START_TEST(large_string)
{
	struct json_error error;
	struct buf b = { 0 };
	struct json *v;

	buf_putc(&b, '"');
	while (b.n < 10000000)
		buf_puts(&b, "x\\n\xe2\x82\xac");
	buf_putc(&b, '"');
	v = parse(b.p, b.n, &error);
	ck_assert_ptr_nonnull(v);
	ck_assert_uint_eq(strlen(v->text), (b.n - 2) / 6 * 5);
	json_free(v);
	/* Unclosed, it is an error at its beginning. */
	ck_assert_ptr_null(parse(b.p, b.n - 1, &error));
	ck_assert_str_eq(error.what, OPEN_STRING);
	ck_assert_uint_eq(error.column, 1);
	buf_free(&b);
}
END_TEST

static const char sample[] =
    "{\"command\": \"echo \\u00e9 \xe2\x82\xac\\n\", \"argv\": [\"a\", "
    "\"\\ud83d\\ude00\"],\n \"n\": -12.5e+3, \"t\": [true, false, null], "
    "\"o\": {\"\": {}}}";

START_TEST(prefixes)
{
	struct json_error error;
	struct json *v;
	size_t n;

	for (n = 0; n < sizeof sample - 1; n++) {
		v = parse(sample, n, &error);
		ck_assert_msg(v == NULL, "the first %zu bytes are no JSON", n);
		ck_assert_ptr_nonnull(error.what);
		ck_assert_uint_ge(error.line, 1);
		ck_assert_uint_ge(error.column, 1);
	}
	v = parse(sample, n, &error);
	ck_assert_ptr_nonnull(v);
	json_free(v);
}
END_TEST

/* Damaged texts: an error or a tree that survives the round trip. */
START_TEST(damaged)
{
	static const char bytes[] = "\0\n \"\\{}[],:u0dD8e-.tf\x1f\x80\xc3\xff";
	char text[sizeof sample];
	struct json_error error;
	struct buf one = { 0 }, two = { 0 };
	struct json *v;
	size_t accept = 0;
	int i, j;

	chance_seed(20261124);
	for (i = 0; i < 20000; i++) {
		memcpy(text, sample, sizeof sample);
		for (j = 0; j < 1 + i % 3; j++)
			text[chance_below(sizeof sample - 1)] =
			    bytes[chance_below(sizeof bytes - 1)];
		v = parse(text, sizeof sample - 1, &error);
		if (!v) {
			if (!error.what || error.line < 1 || error.line > 99 ||
			    error.column < 1 || error.column > sizeof sample)
				ck_abort_msg("round %d: no good error", i);
			continue;
		}
		accept++;
		buf_clear(&one);
		buf_clear(&two);
		print(&one, v);
		json_free(v);
		v = parse(one.p, one.n, &error);
		if (!v)
			ck_abort_msg("round %d: %s", i, one.p);
		print(&two, v);
		json_free(v);
		if (strcmp(one.p, two.p) != 0)
			ck_abort_msg("round %d: %s, %s", i, one.p, two.p);
	}
	/* Or the test would be about errors only. */
	ck_assert_uint_gt(accept, 100);
	buf_free(&one);
	buf_free(&two);
}
END_TEST

static const struct {
	const char *text, *quoted;
} quotes[] = {
	{ "", "\"\"" }, { "a/b", "\"a/b\"" },
	{ "\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
	{ "\x01\x1f\x7f ", "\"\\u0001\\u001f\\u007f \"" },
	{ "\xc2\x9b\xc2\x80\xc2\x9f\xc2\xa0",
	    "\"\\u009b\\u0080\\u009f\xc2\xa0\"" },
	{ "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
	{ "a\xff\xfe" "b\xc3", "\"a\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd\"" },
	{ "\xe2\x82(", "\"\xef\xbf\xbd\xef\xbf\xbd(\"" },
	{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
};

START_TEST(quote)
{
	struct buf b = { 0 };

	json_quote(&b, quotes[_i].text);
	ck_assert_str_eq(b.p, quotes[_i].quoted);
	buf_free(&b);
}
END_TEST

START_TEST(type_names)
{
	ck_assert_str_eq(json_type_name(JSON_NULL), "null");
	ck_assert_str_eq(json_type_name(JSON_FALSE), "false");
	ck_assert_str_eq(json_type_name(JSON_TRUE), "true");
	ck_assert_str_eq(json_type_name(JSON_NUMBER), "a number");
	ck_assert_str_eq(json_type_name(JSON_STRING), "a string");
	ck_assert_str_eq(json_type_name(JSON_ARRAY), "an array");
	ck_assert_str_eq(json_type_name(JSON_OBJECT), "an object");
}
END_TEST

START_TEST(free_nothing)
{
	json_free(NULL);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "json", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ accepts, (int)(sizeof accepted / sizeof *accepted) },
		{ rejects, (int)(sizeof rejected / sizeof *rejected) },
		{ depth, 7 },
		{ large, 5 },
		{ quote, (int)(sizeof quotes / sizeof *quotes) },
		{ positions, 0 },
		{ depth_of_siblings, 0 },
		{ large_string, 0 },
		{ prefixes, 0 },
		{ damaged, 0 },
		{ type_names, 0 },
		{ free_nothing, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
