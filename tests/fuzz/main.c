/*
 * main.c: the codecs, fed with anything, and what must hold whatever they are
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
 *
 * SPDX-License-Identifier: MIT
 */
#include <unistd.h>

#include "fuzz.h"

#ifdef TARGET

#define JOIN(a, b) a##b
#define TARGET_OF(name) JOIN(fuzz_, name)

int LLVMFuzzerTestOneInput(const unsigned char *, size_t);

int
LLVMFuzzerTestOneInput(const unsigned char *p, size_t n)
{
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
		fuzz_where = argv[k];
		i = target_of(fuzz_where);
		buf_clear(&b);
		if (i == TARGETS || !read_file(&b, fuzz_where)) {
			fprintf(stderr, "fuzz: %s: %s\n", fuzz_where, i == TARGETS ?
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
