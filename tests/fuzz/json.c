/*
 * json.c: JSON, and a job as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "job/json.h"

static void
write_json(struct buf *b, const struct json *v)
{
	const struct json *e;

	if (v->key) {
		json_quote(b, v->key);
		buf_putc(b, ':');
	}
	switch (v->type) {
	case JSON_STRING:
		json_quote(b, v->text);
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
		buf_putc(b, v->type == JSON_ARRAY ? '[' : '{');
		for (e = v->child; e; e = e->next) {
			must(!e->key == (v->type == JSON_ARRAY));
			write_json(b, e);
			if (e->next)
				buf_putc(b, ',');
		}
		buf_putc(b, v->type == JSON_ARRAY ? ']' : '}');
		break;
	default:
		buf_puts(b, v->text ? v->text : json_type_name(v->type));
	}
}

static struct json *
read_json(const char *p, size_t n, struct json_error *error)
{
	char *own = malloc(n ? n : 1);
	struct json *v;

	if (!own)
		exit(1);
	if (n)
		memcpy(own, p, n);
	v = json_parse(own, n, error);
	free(own);
	return v;
}

static bool
good_id(const struct json *v)
{
	return v->type == JSON_STRING && job_id_valid(v->text);
}

/* A job that is good as JSON is good as text, and as JSON again. */
static void
carry(const struct json *object)
{
	struct buf why = { 0 }, text = { 0 }, again = { 0 };
	struct job given, job;
	struct job_name name = { NOW, 0, 0, false, "" };
	struct field_view view = { .state = JOB_PENDING, .name = &name,
		.job = &job, .policy = &fuzz_policy, .history = true };
	const struct json *at;
	struct json_error error;
	struct json *v;
	size_t line;

	if (!field_read(&given, object, NOW, &why, &at)) {
		must(why.n > 0 && fuzz_printable(&why));
		job_free(&given);
		buf_free(&why);
		return;
	}
	must(why.n == 0);
	/* what enqueue adds */
	if (!given.id[0])
		job_id_make(given.id, NOW);
	if (given.priority < 0)
		given.priority = JOB_PRIORITY;
	if (given.max_retries < 0)
		given.max_retries = fuzz_policy.max_retries;
	given.created = NOW;
	job_format(&text, &given);
	must(!fuzz_read_text(&job, text.p, text.n, &line));
	job_format(&again, &job);
	must(fuzz_same(&text, &again));

	strcpy(name.id, job.id);
	name.priority = (unsigned char)job.priority;
	buf_clear(&again);
	field_write(&again, &view);
	must(fuzz_printable(&again));
	v = read_json(again.p, again.n, &error);
	must(v != NULL);
	job_free(&job);
	must(field_read(&job, v, NOW + 1, &why, &at));
	must(good_id(v->child));
	job.created = NOW;
	buf_clear(&again);
	job_format(&again, &job);
	must(fuzz_same(&text, &again));
	job_free(&job);
	json_free(v);
	job_free(&given);
	buf_free(&why);
	buf_free(&text);
	buf_free(&again);
}

/* Any string can be quoted, and one of UTF-8 comes back. */
static void
quote(const char *p, size_t n)
{
	char *s = fuzz_copy(p, n);
	struct buf b = { 0 };
	struct json_error error;
	struct json *v;

	json_quote(&b, s);
	must(fuzz_printable(&b));
	v = read_json(b.p, b.n, &error);
	must(v != NULL && v->type == JSON_STRING);
	must(!strcmp(v->text, s) == text_is_utf8(s, strlen(s)));
	json_free(v);
	buf_clear(&b);
	job_escape(&b, s, 0);
	must(fuzz_printable(&b));
	buf_free(&b);
	free(s);
}

void
fuzz_json(const char *p, size_t n)
{
	struct buf once = { 0 }, twice = { 0 };
	struct json_error error = { 0, 0, NULL };
	struct json *v, *again;

	quote(p, n);
	v = read_json(p, n, &error);
	if (!v) {
		must(error.what && error.line > 0 && error.column > 0);
		must(error.column <= n + 1);
		return;
	}
	must(text_is_utf8(p, n) && !memchr(p, '\0', n));
	write_json(&once, v);
	must(fuzz_printable(&once));
	again = read_json(once.p, once.n, &error);
	must(again != NULL);
	write_json(&twice, again);
	must(fuzz_same(&once, &twice));
	carry(v);
	json_free(again);
	json_free(v);
	buf_free(&once);
	buf_free(&twice);
}
