/*
 * name.c: the name of a job's file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"

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
	id = fuzz_copy(p + 14, n - 14);
	strcpy(name->id, job_id_valid(id) ? id : "id");
	free(id);
	return true;
}

static int
sign(int n)
{
	return n < 0 ? -1 : n > 0;
}

void
fuzz_name(const char *p, size_t n)
{
	struct job_name name, again;
	char file[JOB_NAME_MAX + 1], other[JOB_NAME_MAX + 1];
	char *s = fuzz_copy(p, n);

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
