/*
 * check_log.c: log/ID.log, of which the head and the tail are kept.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <unistd.h>

#include "bed.h"
#include "spool/log.h"
#include "suite.h"

START_TEST(keeps_head_and_tail_of_a_log)
{
	struct spool_claim c;
	struct spool_log log;
	struct spool_gap gap;
	char written[30000], bytes[8192];
	int64_t offset, i;
	ssize_t n;
	int fd;

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_config_set(&sp, config_key("log-max"), "4K"),
	    SPOOL_OK);
	for (i = 0; i < (int64_t)sizeof written; i++)
		written[i] = (char)('a' + i * i % 26);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset), SPOOL_OK);
	ck_assert_int_eq(offset, 0);
	for (i = 0; i < (int64_t)sizeof written; i += 600)
		ck_assert_int_eq(spool_log_add(&sp, "a", &log, written + i,
		    600), SPOOL_OK);
	spool_log_end(&log);
	ck_assert_int_eq(spool_log_read(&sp, "a", &fd), SPOOL_OK);
	ck_assert_int_eq(spool_log_gap(fd, &gap), 0);
	ck_assert_int_gt(gap.mark, 0);
	n = read(fd, bytes, sizeof bytes);
	ck_assert_int_le(n, 4096);
	ck_assert_int_eq(spool_log_offset(&gap, n), sizeof written);
	/* each byte is where spool_log_place() says */
	for (i = 0; i < (int64_t)sizeof written; i++) {
		int64_t at = spool_log_place(&gap, i);

		if (i >= gap.from && i < gap.to)
			ck_assert_int_eq(at, gap.from);
		else
			ck_assert_int_eq(bytes[at], written[i]);
		if (i < gap.from || i >= gap.to)
			ck_assert_int_eq(spool_log_offset(&gap, at), i);
	}
	close(fd);
	spool_release(&c);
}
END_TEST

START_TEST(knows_a_false_mark)
{
	static const char *const marks[] = { "", "\n", "\n[queuectl: bytes ",
		"\n[queuectl: bytes 0", "\n[queuectl: bytes 0 to x",
		"\n[queuectl: bytes 0 to 99 were lost]\n",
		"\n[queuectl: bytes 1 to 99 were dropped]\n",
		"\n[queuectl: bytes 0 to 99 were dropped]" };
	struct spool_gap gap;
	size_t i;
	int fd;

	for (i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		char p[200];
		FILE *f;

		snprintf(p, sizeof p, "%s/log/m.log", path);
		f = fopen(p, "w");
		fputs(marks[i], f);
		fclose(f);
		ck_assert_int_eq(spool_log_read(&sp, "m", &fd), SPOOL_OK);
		ck_assert_int_eq(spool_log_gap(fd, &gap), 0);
		ck_assert_msg(gap.mark == 0, "%s", marks[i]);
		close(fd);
	}
}
END_TEST

START_TEST(writes_to_no_fifo)
{
	struct spool_claim c;
	struct spool_log log;
	int64_t offset;

	bed_enqueue("a");
	ck_assert_int_eq(bed_claim("a", &c), SPOOL_OK);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset), SPOOL_OK);
	bed_shell("mkfifo log/%s.log", "a");
	ck_assert_int_eq(spool_log_add(&sp, "a", &log, "x", 1), SPOOL_REFUSED);
	ck_assert_int_eq(spool_log_begin(&sp, &c, &log, &offset),
	    SPOOL_REFUSED);
	spool_release(&c);
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "log", .setup = bed_set_up, .teardown = bed_tear_down,
		.seconds = 60
	};
	const struct suite_test tests[] = {
		{ keeps_head_and_tail_of_a_log, 0 },
		{ knows_a_false_mark, 0 },
		{ writes_to_no_fifo, 0 },
		{ NULL, 0 }
	};

	return suite_run(&suite, tests);
}
