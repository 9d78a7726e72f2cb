/*
 * job.c: the text of a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "job/json.h"

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

/* It is shown as one line of JSON, whatever it holds. */
static void
show(const struct job *job, const char *wrong, size_t line)
{
	struct job_name name = { NOW, 1, 5, false, "id" };
	struct field_view view = { .state = JOB_FAILED, .name = &name,
		.job = job, .policy = &fuzz_policy, .bad = wrong, .line = line,
		.history = true };
	struct json_error error;
	struct json *v;
	struct buf b = { 0 };

	field_write(&b, &view);
	must(fuzz_printable(&b));
	v = json_parse(b.p, b.n, &error);
	must(v != NULL && v->type == JSON_OBJECT);
	json_free(v);
	buf_clear(&b);
	job_title(&b, job, 0);
	must(fuzz_printable(&b));
	buf_clear(&b);
	job_title(&b, job, 40);
	must(fuzz_printable(&b) && b.n <= 40 + strlen("…"));
	buf_free(&b);
}

/* Its next name is a name. */
static void
move(const struct job *job, const struct job_attempt *end)
{
	struct job_name run = { NOW, end->number, 5, false, "id" }, next, again;
	char file[JOB_NAME_MAX + 1];
	enum job_state to;

	to = job_after(job, &run, end, &fuzz_policy, &next);
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
	static const struct job_attempt last = { .number = 7,
		.outcome = JOB_SIGNAL, .value = 9, .start = NOW,
		.end = NOW + 1, .log = 3, .worker = 42, .measured = true,
		.user = 5, .sys = 6000000, .maxrss = 7 };
	struct buf b = { 0 }, line = { 0 }, again = { 0 };
	struct job job;
	size_t bad, n;

	if (fuzz_read_text(&job, text->p, at, &bad)) {
		job_free(&job);
		return;
	}
	write_text(&b, &job);
	must(fuzz_starts(text, &b));
	job_free(&job);

	buf_clear(&b);
	buf_add(&b, text->p, at);
	if (text->p[at - 1] != '\n')
		buf_putc(&b, '\n');
	must(!fuzz_read_text(&job, b.p, b.n, &bad));
	n = job.nattempt;
	job_free(&job);
	job_format_attempt(&line, &last);
	buf_add(&b, line.p, line.n);
	must(!fuzz_read_text(&job, b.p, b.n, &bad));
	must(job.nattempt == n + 1);
	job_format_attempt(&again, &job.attempt[n]);
	must(fuzz_same(&line, &again));
	job_free(&job);
	buf_free(&b);
	buf_free(&line);
	buf_free(&again);
}

void
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
	wrong = fuzz_read_text(&job, p, n, &line);
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
	must(!fuzz_read_text(&job, once.p, once.n, &line));
	write_text(&twice, &job);
	must(fuzz_same(&once, &twice));
	job_free(&job);
	tear(&once, sum % once.n + 1);
	/* What was read, too, may be torn. */
	buf_clear(&twice);
	buf_add(&twice, p, n);
	buf_puts(&twice, "\nAttempt: 1 sta");
	must(!fuzz_read_text(&job, twice.p, twice.n, &line));
	job_free(&job);
	buf_free(&once);
	buf_free(&twice);
}
