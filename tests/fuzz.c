/*
 * fuzz.c: the codecs, fed with anything, and what must hold whatever they are
 * fed with.  The properties are the functions named after the targets:
 *
 *	job      the text of a job
 *	name     the name of its file
 *	json     JSON, and a job as JSON
 *	config   the config file, read and edited
 *	number   what words of the command line hold: numbers, times, ids
 *
 * As it is, it replays: `fuzz FILE...` gives each file to the target that its
 * directory is named after, so that `fuzz corpus/job/x` is a test.  Compiled
 * with -DTARGET=job, it is that one target: with -fsanitize=fuzzer for
 * libFuzzer, with AFL++'s compilers for afl-fuzz (persistent, the input in
 * shared memory), which is given no file then.
 *
 * A property that does not hold is named on stderr and ends it by abort().
 * Inputs are parsed from memory of exactly their size and a NUL, so that a
 * sanitizer sees a parser that reads on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <unistd.h>

#include "job/config.h"
#include "job/field.h"

/* Some time of 2026, for delays. */
#define NOW INT64_C(1795497012345678)

/* The file that is replayed. */
static const char *where = "input";

static void
must_hold(bool holds, int line, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz: %s: line %d: does not hold: %s\n", where, line,
	    what);
	abort();
}

#define must(x) must_hold(x, __LINE__, #x)

/* The input as a string of its own, NUL behind it. */
static char *
copy(const char *p, size_t n)
{
	char *s = malloc(n + 1);

	if (!s)
		exit(1);
	if (n)
		memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->n == b->n && (a->n == 0 || !memcmp(a->p, b->p, a->n));
}

static bool
starts(const struct buf *a, const struct buf *with)
{
	return with->n <= a->n && (with->n == 0 ||
	    !memcmp(a->p, with->p, with->n));
}

/* Fit for a terminal: UTF-8 and no control character. */
static bool
printable(const struct buf *b)
{
	size_t i;

	if (b->n && !text_is_utf8(b->p, b->n))
		return false;
	for (i = 0; i < b->n; i++)
		if ((unsigned char)b->p[i] < 0x20 || b->p[i] == 0x7f ||
		    ((unsigned char)b->p[i] == 0xc2 &&
		    (unsigned char)b->p[i + 1] < 0xa0))
			return false;
	return true;
}

/* --- job ---------------------------------------------------------------- */

static const char *
read_text(struct job *job, const char *p, size_t n, size_t *line)
{
	return job_parse(job, copy(p, n), n, line);
}

/* All of it, history too. */
static void
write_text(struct buf *b, const struct job *job)
{
	size_t i;

	job_format(b, job);
	for (i = 0; i <= job->nattempt; i++) {
		if (i == job->counted && job->retried >= 0)
			job_format_retried(b, job->retried);
		if (i < job->nattempt)
			job_format_attempt(b, &job->attempt[i]);
	}
}

static const struct job_policy policy = { 3, 2, 3600, 5 };

/* It is shown as one line of JSON, whatever it holds. */
static void
show(const struct job *job, const char *wrong, size_t line)
{
	struct job_name name = { NOW, 1, 5, false, "id" };
	struct field_view view = { .state = JOB_FAILED, .name = &name,
		.job = job, .policy = &policy, .bad = wrong, .line = line,
		.history = true };
	struct json_error error;
	struct json *v;
	struct buf b = { 0 };

	field_write(&b, &view);
	must(printable(&b));
	v = json_parse(b.p, b.n, &error);
	must(v != NULL && v->type == JSON_OBJECT);
	json_free(v);
	buf_clear(&b);
	job_title(&b, job, 0);
	must(printable(&b));
	buf_clear(&b);
	job_title(&b, job, 40);
	must(printable(&b) && b.n <= 40 + strlen("…"));
	buf_free(&b);
}

/* Its next name is a name. */
static void
move(const struct job *job, const struct job_attempt *end)
{
	struct job_name run = { NOW, end->number, 5, false, "id" }, next, again;
	char file[JOB_NAME_MAX + 1];
	enum job_state to;

	to = job_after(job, &run, end, &policy, &next);
	must(to >= JOB_PENDING && to < JOB_STATES && to != JOB_PROCESSING);
	must(next.timed == (to == JOB_FAILED));
	job_name_format(file, &next);
	must(job_name_parse(&again, file));
	must(job_name_compare(&next, &again) == 0);
}

/*
 * Cut off anywhere, a text that we wrote is no job or holds the attempts that
 * are whole; and what is appended then, a torn line closed off first, is read.
 */
static void
tear(const struct buf *text, size_t at)
{
	static const struct job_attempt last = { 7, JOB_SIGNAL, 9, NOW, NOW + 1,
		3, 42, NULL };
	struct buf b = { 0 }, line = { 0 }, again = { 0 };
	struct job job;
	size_t bad, n;

	if (read_text(&job, text->p, at, &bad)) {
		job_free(&job);
		return;
	}
	write_text(&b, &job);
	must(starts(text, &b));
	job_free(&job);

	buf_clear(&b);
	buf_add(&b, text->p, at);
	if (text->p[at - 1] != '\n')
		buf_putc(&b, '\n');
	must(!read_text(&job, b.p, b.n, &bad));
	n = job.nattempt;
	job_free(&job);
	job_format_attempt(&line, &last);
	buf_add(&b, line.p, line.n);
	must(!read_text(&job, b.p, b.n, &bad));
	must(job.nattempt == n + 1);
	job_format_attempt(&again, &job.attempt[n]);
	must(same(&line, &again));
	job_free(&job);
	buf_free(&b);
	buf_free(&line);
	buf_free(&again);
}

static void
fuzz_job(const char *p, size_t n)
{
	struct buf once = { 0 }, twice = { 0 };
	const char *wrong;
	struct job job;
	size_t line = 77, lines = 1, i, sum = 0;

	for (i = 0; i < n; i++) {
		lines += p[i] == '\n';
		sum = sum * 31 + (unsigned char)p[i];
	}
	wrong = read_text(&job, p, n, &line);
	if (wrong) {
		must(line <= lines);
		job_free(&job);
		show(&job, wrong, line);
		return;
	}
	must(line == 0);
	show(&job, NULL, 0);
	for (i = 0; i < job.nattempt; i++)
		move(&job, &job.attempt[i]);
	write_text(&once, &job);
	job_free(&job);
	must(!read_text(&job, once.p, once.n, &line));
	write_text(&twice, &job);
	must(same(&once, &twice));
	job_free(&job);
	tear(&once, sum % once.n + 1);
	/* What was read, too, may be torn. */
	buf_clear(&twice);
	buf_add(&twice, p, n);
	buf_puts(&twice, "\nAttempt: 1 sta");
	must(!read_text(&job, twice.p, twice.n, &line));
	job_free(&job);
	buf_free(&once);
	buf_free(&twice);
}

/* --- name --------------------------------------------------------------- */

/* A name out of the first bytes, any bytes; what is left is the id. */
static bool
make_name(struct job_name *name, const char *p, size_t n)
{
	char *id;

	if (n < 14)
		return false;
	*name = (struct job_name){ 0 };
	memcpy(&name->stamp, p, 8);
	memcpy(&name->attempt, p + 8, 4);
	name->priority = (unsigned char)p[12] % 10;
	name->timed = p[13] & 1;
	id = copy(p + 14, n - 14);
	strcpy(name->id, job_id_valid(id) ? id : "id");
	free(id);
	return true;
}

static int
sign(int n)
{
	return n < 0 ? -1 : n > 0;
}

static void
fuzz_name(const char *p, size_t n)
{
	struct job_name name, again;
	char file[JOB_NAME_MAX + 1], other[JOB_NAME_MAX + 1];
	char *s = copy(p, n);

	if (job_name_parse(&name, s)) {
		job_name_format(file, &name);
		must(!strcmp(file, s));
		must(job_id_valid(name.id));
		must(name.stamp >= 0 && name.stamp <= JOB_TIME_MAX);
	}
	free(s);
	if (!make_name(&name, p, n))
		return;
	job_name_format(file, &name);
	must(job_name_parse(&again, file));
	job_name_format(other, &again);
	must(!strcmp(file, other));
	must(again.priority == name.priority && again.timed == name.timed);
	must(!strcmp(again.id, name.id));
	must(again.attempt == name.attempt || name.attempt > JOB_NUMBER_MAX);
	must(again.stamp == name.stamp || name.stamp < 0 ||
	    name.stamp > JOB_TIME_MAX);
	/* ls lists the run order. */
	name = again;
	if (n % 3 == 0)
		name.stamp = JOB_TIME_MAX - name.stamp;
	else if (n % 3 == 1)
		strcpy(name.id, "job1");
	else
		name.priority = 9 - name.priority;
	job_name_format(file, &name);
	must(job_name_compare(&name, &again) == sign(strcmp(file, other)) ||
	    (name.stamp == again.stamp && name.priority == again.priority));
	must(sign(job_name_compare(&name, &again)) ==
	    -sign(job_name_compare(&again, &name)));
}

/* --- json --------------------------------------------------------------- */

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
		.job = &job, .policy = &policy, .history = true };
	const struct json *at;
	struct json_error error;
	struct json *v;
	size_t line;

	if (!field_read(&given, object, NOW, &why, &at)) {
		must(why.n > 0 && printable(&why));
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
		given.max_retries = policy.max_retries;
	given.created = NOW;
	job_format(&text, &given);
	must(!read_text(&job, text.p, text.n, &line));
	job_format(&again, &job);
	must(same(&text, &again));

	strcpy(name.id, job.id);
	name.priority = (unsigned char)job.priority;
	buf_clear(&again);
	field_write(&again, &view);
	must(printable(&again));
	v = read_json(again.p, again.n, &error);
	must(v != NULL);
	job_free(&job);
	must(field_read(&job, v, NOW + 1, &why, &at));
	must(good_id(v->child));
	job.created = NOW;
	buf_clear(&again);
	job_format(&again, &job);
	must(same(&text, &again));
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
	char *s = copy(p, n);
	struct buf b = { 0 };
	struct json_error error;
	struct json *v;

	json_quote(&b, s);
	must(printable(&b));
	v = read_json(b.p, b.n, &error);
	must(v != NULL && v->type == JSON_STRING);
	must(!strcmp(v->text, s) == text_is_utf8(s, strlen(s)));
	json_free(v);
	buf_clear(&b);
	job_escape(&b, s, 0);
	must(printable(&b));
	buf_free(&b);
	free(s);
}

static void
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
	must(printable(&once));
	again = read_json(once.p, once.n, &error);
	must(again != NULL);
	write_json(&twice, again);
	must(same(&once, &twice));
	carry(v);
	json_free(again);
	json_free(v);
	buf_free(&once);
	buf_free(&twice);
}

/* --- config ------------------------------------------------------------- */

static bool
same_value(const struct config *a, const struct config *b,
    const struct config_key *k)
{
	struct buf x = { 0 }, y = { 0 };
	bool is;

	config_value(a, k, &x);
	config_value(b, k, &y);
	is = same(&x, &y);
	buf_free(&x);
	buf_free(&y);
	return is;
}

static size_t
read_config(struct config *c, const char *p, size_t n)
{
	char *text = copy(p, n);
	size_t bad = config_read(c, text);

	free(text);
	return bad;
}

/* The values in force, written as lines, are read as the same. */
static void
write_config(const struct config *c)
{
	struct buf b = { 0 }, value = { 0 };
	const struct config_key *k;
	struct config again;

	for (k = config_keys; k->name; k++) {
		buf_clear(&value);
		config_value(c, k, &value);
		buf_printf(&b, "%s=%s\n", k->name, value.p);
	}
	must(read_config(&again, b.p, b.n) == 0);
	for (k = config_keys; k->name; k++)
		must(same_value(c, &again, k));
	buf_free(&b);
	buf_free(&value);
}

static void
edit(const char *p, size_t n, const struct config_key *key, const char *value)
{
	struct config before, after, want;
	const struct config_key *k;
	struct buf once = { 0 }, twice = { 0 };
	size_t bad = read_config(&before, p, n);
	char *text;

	want = before;
	if (!config_apply(&want, key, value ? value : key->value)) {
		must(value != NULL);
		for (k = config_keys; k->name; k++)
			must(same_value(&want, &before, k));
		return;
	}
	text = copy(p, n);
	config_edit(&once, text, key, value);
	free(text);
	must(read_config(&after, once.p, once.n) == 0 || bad);
	for (k = config_keys; k->name; k++)
		must(same_value(&after, &want, k));
	text = copy(once.p, once.n);
	config_edit(&twice, text, key, value);
	free(text);
	must(same(&once, &twice));
	buf_free(&once);
	buf_free(&twice);
}

/* The first line is what to set, "KEY VALUE" or "KEY"; the rest is a file. */
static void
fuzz_config(const char *p, size_t n)
{
	const char *end = n ? memchr(p, '\n', n) : NULL;
	const struct config_key *key;
	struct config c;
	size_t first = end ? (size_t)(end - p) + 1 : n;
	char *word = copy(p, end ? first - 1 : n), *value;

	read_config(&c, p + first, n - first);
	write_config(&c);
	value = strchr(word, ' ');
	if (value)
		*value++ = '\0';
	key = config_key(word);
	if (key)
		edit(p + first, n - first, key, value);
	free(word);
}

/* --- number ------------------------------------------------------------- */

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
		must(job_seconds_parse(b.p, &back));
		must(back == (us < 0 ? 0 : us));
	} else {
		must(!job_seconds_parse(b.p, &back));
	}
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
		must(job_seconds_parse(s, &again) == (n <= JOB_NUMBER_MAX));
	}
	if (job_seconds_parse(s, &n)) {
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

static void
fuzz_number(const char *p, size_t n)
{
	char *s = copy(p, n);
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

/* --- who calls ---------------------------------------------------------- */

#ifdef TARGET

#define JOIN(a, b) a##b
#define TARGET_OF(name) JOIN(fuzz_, name)

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
	/* the others, too, are used */
	(void)fuzz_job;
	(void)fuzz_name;
	(void)fuzz_json;
	(void)fuzz_config;
	(void)fuzz_number;
	TARGET_OF(TARGET)((const char *)p, n);
	return 0;
}

#ifdef __AFL_FUZZ_TESTCASE_LEN

__AFL_FUZZ_INIT();

int
main(void)
{
	__AFL_INIT();
	while (__AFL_LOOP(100000))
		LLVMFuzzerTestOneInput(__AFL_FUZZ_TESTCASE_BUF,
		    (size_t)__AFL_FUZZ_TESTCASE_LEN);
	return 0;
}

#endif

#else

static const struct {
	const char *name;
	void (*run)(const char *p, size_t n);
} targets[] = {
	{ "job", fuzz_job }, { "name", fuzz_name }, { "json", fuzz_json },
	{ "config", fuzz_config }, { "number", fuzz_number },
};

enum { TARGETS = sizeof targets / sizeof targets[0] };

/* The target whose name is that of the file's directory. */
static size_t
target_of(const char *path)
{
	const char *end = strrchr(path, '/');
	size_t i, n;

	for (i = 0; end && i < TARGETS; i++) {
		n = strlen(targets[i].name);
		if ((size_t)(end - path) >= n &&
		    !memcmp(end - n, targets[i].name, n) &&
		    (end - n == path || end[-(ptrdiff_t)n - 1] == '/'))
			return i;
	}
	return TARGETS;
}

static bool
read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "rb");
	char part[4096];
	size_t n;
	bool good;

	if (!f)
		return false;
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(b, part, n);
	good = !ferror(f) && !b->failed;
	fclose(f);
	return good;
}

int
main(int argc, char **argv)
{
	struct buf b = { 0 };
	size_t i;
	int k, failed = 0;

	for (k = 1; k < argc; k++) {
		where = argv[k];
		i = target_of(where);
		buf_clear(&b);
		if (i == TARGETS || !read_file(&b, where)) {
			fprintf(stderr, "fuzz: %s: %s\n", where, i == TARGETS ?
			    "its directory is no target" : "cannot be read");
			failed++;
			continue;
		}
		targets[i].run(b.p ? b.p : "", b.n);
	}
	buf_free(&b);
	printf("fuzz: %d passed, %d failed\n", argc - 1 - failed, failed);
	return failed > 0;
}

#endif
