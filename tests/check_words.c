/*
 * check_words.c: which commands need no shell, and how they are cut.
 *
 * tests/plain.sh compares runs with a shell and without.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "suite.h"
#include "texts.h"
#include "worker/words.h"

static const struct own_env usual = { .plain = true, .has_path = true };

/* The words of a command with "|" between them, or "shell". */
static const char *
words(const char *command)
{
	static char line[1000];
	const char **argv = plain_words(&usual, command, NULL, 0, "/x");
	int i;

	if (!argv)
		return "shell";
	ck_assert_ptr_nonnull(argv[0]);
	line[0] = '\0';
	for (i = 0; argv[i]; i++) {
		ck_assert_uint_gt(strlen(argv[i]), 0);
		strcat(strcat(line, i ? "|" : ""), argv[i]);
	}
	free(argv);
	return line;
}

START_TEST(cuts_at_spaces)
{
	static const struct { const char *command, *words; } cases[] = {
		{ "true", "true" }, { "  true", "true" }, { "true  ", "true" },
		{ "a b", "a|b" }, { "  a   b  c ", "a|b|c" },
		{ "a b=c", "a|b=c" }, { "a -n --x=y -- +z", "a|-n|--x=y|--|+z" },
		{ "./a", "./a" }, { "/bin/a", "/bin/a" }, { "a/echo", "a/echo" },
		{ "a echo if", "a|echo|if" }, { "echoo", "echoo" },
		{ "true x", "true|x" }, { "false", "false" },
		{ "a_B9@%+=:,./-", "shell" }, /* the first word assigns */
		{ "a _B9@%+=:,./-", "a|_B9@%+=:,./-" }, { "%1", "%1" },
		{ "@", "@" }, { ",", ",",}, { "a :", "a|:" }, { "::", "::" },
		{ "..", ".." }, { "_", "_" }, { "0", "0" },
	};
	int i;

	for (i = 0; i < COUNT(cases); i++)
		ck_assert_str_eq(words(cases[i].command), cases[i].words);
}
END_TEST

START_TEST(leaves_the_rest_to_the_shell)
{
	static const char *const cases[] = {
		"", " ", "   ", "-x", "+x", "-c a", "+c", "a=b", "A=b a", "=",
		"a=", "PATH= a", "=a b", " a=b", "  A=b a",
		":", ".", "  :", ". a", "case", "do", "echo", "echo a",
		"  echo", "exit 3", "cd /", "if", "fi", "for", "function", "in",
		"time", "time a", "until", "while", "exec a", "command a",
		"kill 1", "let", "local", "printf x", "pwd", "read", "return",
		"set", "shift", "source a", "test", "times", "trap", "type",
		"typeset", "ulimit", "umask", "unset", "wait", "eval", "export",
		"alias", "bg", "fg", "jobs", "hash", "help", "select", "coproc",
	};
	int i;

	for (i = 0; i < COUNT(cases); i++)
		ck_assert_msg(!strcmp(words(cases[i]), "shell"), "%s",
		    cases[i]);
}
END_TEST

/* Each byte, within a word and as one of its own: what is not known to be
 * plain is not. */
START_TEST(every_byte)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM"
	    "NOPQRSTUVWXYZ0123456789_@%+=:,./- ";
	char command[8];
	int c;

	for (c = 1; c < 256; c++) {
		bool is_plain = strchr(plain, c) != NULL;

		snprintf(command, sizeof command, "a b%cc", c);
		ck_assert_msg(!strcmp(words(command), "shell") == !is_plain,
		    "byte %d", c);
		snprintf(command, sizeof command, "a %c", c);
		ck_assert_msg(!strcmp(words(command), "shell") == !is_plain,
		    "byte %d", c);
	}
}
END_TEST

static bool
is_plain(const char *variable, const char *cwd, bool *path)
{
	char *env = (char *)(size_t)variable;

	return is_plain_env(&env, 1, cwd, path);
}

START_TEST(knows_what_shells_heed)
{
	static const char *const not_plain[] = { "IFS=x", "PPID=1", "OPTIND=1",
		"LINENO=1", "BASHOPTS=", "SHELLOPTS=", "PWD=/y", "PWD=",
		"PWD=/x/", "1A=b", "a-b=c", "=", "", "A", "A.B=c", " A=b",
		"BASH_FUNC_f%%=() { :; }", "PWD" };
	static const char *const fine[] = { "A=b", "A=", "_=x", "a1_=x",
		"PWD=/x", "IFSX=1", "XIFS=1", "IF=1", "PWDX=1", "PW=1", "I=" };
	bool path = false;
	int i;

	for (i = 0; i < COUNT(not_plain); i++)
		ck_assert_msg(!is_plain(not_plain[i], "/x", &path), "%s",
		    not_plain[i]);
	for (i = 0; i < COUNT(fine); i++)
		ck_assert_msg(is_plain(fine[i], "/x", &path), "%s", fine[i]);
	ck_assert(is_plain("PATHX=1", "/x", &path) && !path);
	ck_assert(is_plain("PATH=", "/x", &path) && path);
	/* it is set, and never taken back */
	ck_assert(is_plain("A=b", "/x", &path) && path);
	ck_assert(is_plain_env(NULL, 0, "/x", &path));
}
END_TEST

START_TEST(looks_at_all_variables)
{
	char a[] = "A=b", b[] = "B=c", ifs[] = "IFS=x", path[] = "PATH=/bin";
	char *env[] = { a, b, path, ifs };
	bool found = false;

	ck_assert(is_plain_env(env, 2, "/x", &found) && !found);
	ck_assert(is_plain_env(env, 3, "/x", &found) && found);
	ck_assert(!is_plain_env(env, 4, "/x", &found));
	env[0] = ifs;
	ck_assert(!is_plain_env(env, 3, "/x", &found));
}
END_TEST

/* Whether a command of plain words is run without a shell. */
static bool
direct(bool plain, bool has_path, const char *variable, const char *cwd)
{
	const struct own_env own = { plain, has_path };
	char *env = (char *)(size_t)variable;
	const char **argv = plain_words(&own, "a b", &env, variable != NULL,
	    cwd);
	bool is = argv != NULL;

	free(argv);
	return is;
}

START_TEST(depends_on_the_surroundings)
{
	ck_assert(direct(true, true, NULL, "/x"));
	ck_assert(direct(true, true, "A=b", "/"));
	ck_assert(direct(true, true, "PWD=/x", "/x"));
	/* shells have a PATH of their own to search */
	ck_assert(!direct(true, false, NULL, "/x"));
	ck_assert(!direct(true, false, "A=b", "/x"));
	ck_assert(direct(true, false, "PATH=/bin", "/x"));
	/* or drop variables of the worker's or the job's */
	ck_assert(!direct(false, true, NULL, "/x"));
	ck_assert(!direct(true, true, "IFS=x", "/x"));
	ck_assert(!direct(true, true, "PWD=/y", "/x"));
	/* or another PWD, where the directory is not written plainly */
	ck_assert(!direct(true, true, NULL, ""));
	ck_assert(!direct(true, true, NULL, "x"));
	ck_assert(!direct(true, true, NULL, "./x"));
	ck_assert(!direct(true, true, NULL, "/x/../y"));
	ck_assert(!direct(true, true, NULL, "/x/."));
	ck_assert(!direct(true, true, NULL, "/.x"));
	ck_assert(direct(true, true, NULL, "/x.y"));
}
END_TEST

/* The words are a copy, in the order of the command, and nothing is lost:
 * valgrind and the sanitizers see that they fit. */
START_TEST(random_commands)
{
	static const char chars[] = "ab =/.%     ";
	char command[80], again[80];
	const char **argv;
	size_t n, i, at;
	int round;

	chance_seed(7);
	for (round = 0; round < 20000; round++) {
		n = chance_below(sizeof command - 2);
		for (i = 0; i < n; i++)
			command[i] = chars[chance_below(sizeof chars - 1)];
		command[n] = '\0';
		argv = plain_words(&usual, command, NULL, 0, "/x");
		if (!argv)
			continue;
		for (at = i = 0; argv[i]; i++) {
			ck_assert_ptr_null(strchr(argv[i], ' '));
			at += strspn(command + at, " ");
			n = strlen(argv[i]);
			memcpy(again, command + at, n);
			again[n] = '\0';
			ck_assert_str_eq(argv[i], again);
			at += n;
			ck_assert(command[at] == ' ' || !command[at]);
		}
		at += strspn(command + at, " ");
		ck_assert_uint_eq(at, strlen(command));
		ck_assert_ptr_null(strchr(argv[0], '='));
		free(argv);
	}
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "words", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ cuts_at_spaces, 0 },
		{ leaves_the_rest_to_the_shell, 0 },
		{ every_byte, 0 },
		{ knows_what_shells_heed, 0 },
		{ looks_at_all_variables, 0 },
		{ depends_on_the_surroundings, 0 },
		{ random_commands, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
