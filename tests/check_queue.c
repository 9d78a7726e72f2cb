/*
 * check_queue.c: the best candidates by order, in bounded memory, against a
 * plain model of what a queue keeps.
 *
 * SPDX-License-Identifier: MIT
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "chance.h"
#include "suite.h"
#include "texts.h"
#include "worker/queue.h"

enum { MODEL_MAX = 4096 };

/* Memory of just the size of a queue: a write behind it is found by valgrind
 * and by the sanitizers. */
static void *memory;

static void
lay_out(struct queue *q, size_t cap, size_t id)
{
	free(memory);
	memory = malloc(queue_size(cap, queue_width(id)));
	queue_lay_out(q, memory, queue_size(cap, queue_width(id)),
	    queue_width(id));
	ck_assert_uint_eq(q->cap, cap);
	ck_assert(q->sorted && !q->n && !q->over && !q->wider);
}

static struct candidate
cand(unsigned char rank, int64_t when, const char *id)
{
	struct candidate c = { .when = when, .stamp = when, .rank = rank,
		.priority = rank, .state = JOB_PENDING };

	strcpy(c.id, id);
	return c;
}

static bool
push(struct queue *q, unsigned char rank, int64_t when, const char *id)
{
	struct candidate c = cand(rank, when, id);

	return queue_push(q, &c);
}

/* Takes out all and asserts that these are their ids, one letter each. */
static void
pops(struct queue *q, const char *ids)
{
	for (; *ids; ids++) {
		struct candidate c;

		ck_assert_uint_gt(q->n, 0);
		ck_assert_int_eq(queue_best(q)->id[0], *ids);
		c = queue_pop(q);
		ck_assert_int_eq(c.id[0], *ids);
	}
	ck_assert_uint_eq(q->n, 0);
	ck_assert_ptr_null(queue_best(q));
}

START_TEST(a_name_comes_back_as_it_was)
{
	struct job_name name = { .stamp = 7, .attempt = JOB_NUMBER_MAX,
		.priority = 9, .timed = true }, back;
	struct candidate c;

	memset(name.id, 'x', JOB_ID_MAX);
	c = candidate_of(JOB_FAILED, &name);
	ck_assert_int_eq(c.when, 7);
	ck_assert_int_eq(c.rank, 9);
	ck_assert_int_eq(c.state, JOB_FAILED);
	ck_assert_int_eq(c.tries, 0);
	back = candidate_name(&c);
	ck_assert_int_eq(back.stamp, 7);
	ck_assert_uint_eq(back.attempt, JOB_NUMBER_MAX);
	ck_assert(back.priority == 9 && back.timed);
	ck_assert_str_eq(back.id, name.id);
}
END_TEST

START_TEST(compares_rank_then_time_then_id)
{
	const struct candidate in_order[] = {
		cand(0, 9, "z"), cand(1, INT64_MIN, "z"), cand(1, -1, "b"),
		cand(1, 3, "a"), cand(1, 3, "aa"), cand(1, 3, "b"),
		cand(1, 4, "a"), cand(9, INT64_MAX, "a")
	};
	int i, j, c;

	for (i = 0; i < COUNT(in_order); i++)
		for (j = 0; j < COUNT(in_order); j++) {
			c = candidate_compare(&in_order[i], &in_order[j]);
			ck_assert_int_eq((c > 0) - (c < 0), (i > j) - (i < j));
		}
}
END_TEST

/* Both as a heap and sorted. */
START_TEST(keeps_the_best)
{
	struct queue q;

	lay_out(&q, 3, 10);
	if (_i)
		queue_clear(&q);
	ck_assert(q.sorted == !_i);
	ck_assert(push(&q, 5, 40, "d"));
	ck_assert(push(&q, 5, 20, "b"));
	ck_assert(push(&q, 5, 50, "e"));
	ck_assert(!q.over);
	ck_assert(!push(&q, 5, 30, "c")); /* e makes room */
	ck_assert(q.over);
	ck_assert_str_eq(q.horizon.id, "e");
	ck_assert(!push(&q, 0, 99, "a")); /* d makes room */
	ck_assert_str_eq(q.horizon.id, "d");
	ck_assert(!push(&q, 9, 1, "f"));
	ck_assert(!push(&q, 5, 45, "g"));
	ck_assert_str_eq(q.horizon.id, "d");
	ck_assert(!push(&q, 5, 35, "h"));
	ck_assert_str_eq(q.horizon.id, "h");
	queue_sort(&q);
	pops(&q, "abc");
}
END_TEST

START_TEST(takes_in_nothing_beyond_its_horizon)
{
	struct queue q;

	lay_out(&q, 2, 10);
	push(&q, 5, 10, "a");
	push(&q, 5, 30, "c");
	push(&q, 5, 40, "d");
	ck_assert_str_eq(q.horizon.id, "d");
	ck_assert_int_eq(queue_pop(&q).id[0], 'a');
	ck_assert_int_eq(queue_pop(&q).id[0], 'c');
	/* there is room, but these would jump the queue */
	ck_assert(!push(&q, 5, 50, "e"));
	ck_assert(!push(&q, 5, 40, "d"));
	ck_assert_uint_eq(q.n, 0);
	/* …and that one would not */
	ck_assert(push(&q, 5, 39, "x"));
	pops(&q, "x");
	/* until it begins anew */
	queue_clear(&q);
	ck_assert(!q.sorted && !q.over);
	ck_assert(push(&q, 5, 50, "e"));
	queue_sort(&q);
	pops(&q, "e");
}
END_TEST

START_TEST(doubles_come_out_once)
{
	struct queue q;
	int i;

	lay_out(&q, 8, 10);
	/* sorted: a double takes no room */
	for (i = 0; i < 20; i++)
		ck_assert(push(&q, 5, 10, "a") && push(&q, 5, 20, "b"));
	ck_assert_uint_eq(q.n, 2);
	pops(&q, "ab");
	queue_clear(&q);
	push(&q, 5, 20, "b");
	push(&q, 5, 10, "a");
	push(&q, 5, 20, "b");
	push(&q, 5, 10, "a");
	push(&q, 5, 20, "c");
	push(&q, 5, 20, "b");
	queue_sort(&q);
	pops(&q, "abc");
	/* an id that the name came with before may be of another attempt */
	push(&q, 5, 10, "a");
	push(&q, 4, 10, "a");
	push(&q, 5, 11, "a");
	pops(&q, "aaa");
}
END_TEST

START_TEST(tells_what_a_longer_id_needs)
{
	char id[JOB_ID_MAX + 1];
	struct candidate c;
	struct queue q;
	size_t len;

	for (len = 1; len <= JOB_ID_MAX; len++) {
		size_t width = queue_width(len);

		memset(id, 'x', len);
		id[len] = '\0';
		ck_assert_uint_ge(width, offsetof(struct candidate, id) + len + 1);
		ck_assert_uint_eq(width % 8, 0);
		ck_assert_uint_le(width, sizeof(struct candidate) + 7);
		lay_out(&q, 2, len);
		ck_assert(push(&q, 5, 1, id));
		ck_assert(push(&q, 5, 2, "a"));
		ck_assert_uint_eq(q.wider, 0);
		c = queue_pop(&q);
		ck_assert_str_eq(c.id, id);
		c = queue_get(&q, 0);
		ck_assert_str_eq(c.id, "a");
	}
	lay_out(&q, 2, 10);
	memset(id, 'x', 30);
	id[30] = '\0';
	ck_assert(!push(&q, 5, 1, id));
	ck_assert_uint_eq(q.wider, queue_width(30));
	ck_assert_uint_eq(q.n, 0);
	ck_assert(!q.over); /* its owner begins anew, so there is no horizon */
	id[20] = '\0';
	ck_assert(!push(&q, 5, 1, id));
	ck_assert_uint_eq(q.wider, queue_width(30));
	ck_assert(push(&q, 5, 1, "a"));
}
END_TEST

START_TEST(fits_into_its_memory)
{
	size_t bytes, width = queue_width(10);
	struct queue q;

	for (bytes = 0; bytes < 4000; bytes++) {
		free(memory);
		memory = malloc(bytes + 1);
		queue_lay_out(&q, memory, bytes, width);
		ck_assert_uint_le(queue_size(q.cap, width), bytes);
		ck_assert_uint_gt(queue_size(q.cap + 1, width), bytes);
	}
	/* slots have numbers of 16 bits */
	bytes = queue_size(70000, width);
	free(memory);
	memory = malloc(bytes);
	queue_lay_out(&q, memory, bytes, width);
	ck_assert_uint_eq(q.cap, UINT16_MAX - 1);
}
END_TEST

/* What a queue of cap is to do, in the plainest way: a sorted array. */
struct model {
	struct candidate all[MODEL_MAX];
	size_t n, cap;
	bool over;
	struct candidate horizon;
};

static void
model_push(struct model *m, const struct candidate *c, bool once)
{
	size_t i, j;

	if (m->over && candidate_compare(c, &m->horizon) >= 0)
		return;
	for (i = 0; i < m->n && candidate_compare(&m->all[i], c) < 0; i++)
		;
	if (once && i < m->n && candidate_compare(&m->all[i], c) == 0) {
		/* a double of the last is turned away: that does no harm */
		if (m->n == m->cap &&
		    candidate_compare(&m->all[m->n - 1], c) == 0) {
			m->horizon = *c;
			m->over = true;
		}
		return;
	}
	for (j = m->n++; j > i; j--)
		m->all[j] = m->all[j - 1];
	m->all[i] = *c;
	if (m->n > m->cap) {
		m->horizon = m->all[--m->n];
		m->over = true;
	}
}

static void
model_pop(struct model *m, struct candidate *c)
{
	size_t k = 1;

	*c = m->all[0];
	while (k < m->n && candidate_compare(&m->all[k], c) == 0)
		k++;
	m->n -= k;
	memmove(m->all, m->all + k, m->n * sizeof *m->all);
}

static void
same(const struct queue *q, const struct model *m)
{
	ck_assert_uint_eq(q->n, m->n);
	ck_assert_int_eq(q->over, m->over);
	if (m->over)
		ck_assert_int_eq(candidate_compare(&q->horizon, &m->horizon), 0);
	if (q->sorted && m->n)
		ck_assert_int_eq(candidate_compare(queue_best(q), m->all), 0);
}

static struct candidate
any(unsigned range)
{
	struct candidate c = cand((unsigned char)chance_below(3),
	    chance_below(range), "");

	c.id[0] = (char)('a' + chance_below(3));
	c.id[1] = '\0';
	c.attempt = chance_below(1000);
	return c;
}

START_TEST(does_what_the_model_does)
{
	static struct model m;
	struct candidate c, d;
	struct queue q;
	unsigned range;
	int n, most;

	chance_seed((uint64_t)_i + 1);
	range = 1 + chance_below(_i % 3 ? 200 : 10);
	m = (struct model){ .cap = 1 + chance_below(_i % 2 ? 8 : 200) };
	lay_out(&q, m.cap, 10);
	for (n = 0; n < 40; n++) {
		/* now and then it begins anew, as a heap for a while */
		if (chance_below(4) == 0) {
			queue_clear(&q);
			m.n = m.over = 0;
			for (most = (int)chance_below(500); most--;) {
				c = any(range);
				queue_push(&q, &c);
				model_push(&m, &c, false);
				same(&q, &m);
			}
			queue_sort(&q);
		}
		for (most = (int)chance_below(200); most--;) {
			c = any(range);
			if (chance_below(2) && m.n) {
				d = queue_pop(&q);
				model_pop(&m, &c);
				ck_assert_int_eq(candidate_compare(&c, &d), 0);
			} else {
				queue_push(&q, &c);
				model_push(&m, &c, true);
			}
			same(&q, &m);
		}
	}
}
END_TEST

int
main(void)
{
	static const struct suite suite = {
		.name = "queue", .in_one_process = true, .seconds = 60
	};
	const struct suite_test tests[] = {
		{ a_name_comes_back_as_it_was, 0 },
		{ compares_rank_then_time_then_id, 0 },
		{ keeps_the_best, 2 },
		{ takes_in_nothing_beyond_its_horizon, 0 },
		{ doubles_come_out_once, 0 },
		{ tells_what_a_longer_id_needs, 0 },
		{ fits_into_its_memory, 0 },
		{ does_what_the_model_does, 60 },
		{ NULL, 0 }
	};
	int r = suite_run(&suite, tests);

	free(memory);
	return r;
}
