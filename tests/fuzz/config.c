/*
 * config.c: the config file, read and edited.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "job/config.h"

static bool
same_value(const struct config *a, const struct config *b,
    const struct config_key *k)
{
	struct buf x = { 0 }, y = { 0 };
	bool is;

	config_value(a, k, &x);
	config_value(b, k, &y);
	is = fuzz_same(&x, &y);
	buf_free(&x);
	buf_free(&y);
	return is;
}

static size_t
read_config(struct config *c, const char *p, size_t n)
{
	char *text = fuzz_copy(p, n);
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
	text = fuzz_copy(p, n);
	config_edit(&once, text, key, value);
	free(text);
	must(read_config(&after, once.p, once.n) == 0 || bad);
	for (k = config_keys; k->name; k++)
		must(same_value(&after, &want, k));
	text = fuzz_copy(once.p, once.n);
	config_edit(&twice, text, key, value);
	free(text);
	must(fuzz_same(&once, &twice));
	buf_free(&once);
	buf_free(&twice);
}

/* The first line is what to set, "KEY VALUE" or "KEY"; the rest is a file. */
void
fuzz_config(const char *p, size_t n)
{
	const char *end = n ? memchr(p, '\n', n) : NULL;
	const struct config_key *key;
	struct config c;
	size_t first = end ? (size_t)(end - p) + 1 : n;
	char *word = fuzz_copy(p, end ? first - 1 : n), *value;

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
