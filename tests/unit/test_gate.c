/* SPDX-License-Identifier: BSD-3-Clause */
/* Gates: a poller and a control thread that must never be behind one at the same time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "gate.h"

#define GATES   3
#define SECONDS 2

/* What is behind a gate. Both sides write it without further order; `twin` follows `count`. */
struct behind {
	volatile uint64_t count;
	volatile uint64_t twin;
};

struct queue {
	struct gate gate;
	struct behind behind;
	uint64_t broken; /* seen by the poller */
} __attribute__((aligned(64)));

static struct queue queues[GATES];
static uint32_t stop;

static bool
touch(struct behind *b)
{
	uint64_t count = b->count;
	bool whole = b->twin == count;

	b->count = count + 1;
	b->twin = count + 1;
	return whole;
}

static void *
poll_queues(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		struct queue *q = &queues[i % GATES];

		if (i % 2 == 0 && !gate_try_enter(&q->gate))
			continue;
		if (i % 2 == 1)
			gate_enter(&q->gate);
		q->broken += !touch(&q->behind);
		gate_leave(&q->gate);
	}
	return NULL;
}

/* With all gates closed. A round of control's counts for four. */
static uint64_t
touched_by_poller(uint64_t rounds)
{
	uint64_t touched = 0;

	for (unsigned int i = 0; i < GATES; i++)
		touched += queues[i].behind.count;
	return touched - 4 * rounds;
}

static void
never_both(void **state)
{
	struct gate *gates[GATES + 1] = {&queues[0].gate, &queues[1].gate, NULL, &queues[2].gate};
	uint64_t rounds, polls = 0, broken = 0;
	time_t end = time(NULL) + SECONDS;
	pthread_t poller;

	(void)state;
	assert_int_equal(gate_init(), 0);
	assert_int_equal(pthread_create(&poller, NULL, poll_queues, NULL), 0);
	/* Both sides get through, many times, however busy the machine is. */
	for (rounds = 0; time(NULL) < end || rounds <= 100 || polls <= 100; rounds++) {
		gates_close(gates, GATES + 1);
		polls = touched_by_poller(rounds);
		for (unsigned int i = 0; i < GATES; i++)
			broken += !touch(&queues[i].behind);
		gates_open(gates, GATES + 1);
		gate_close(&queues[rounds % GATES].gate);
		broken += !touch(&queues[rounds % GATES].behind);
		gate_open(&queues[rounds % GATES].gate);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(poller, NULL);
	assert_int_equal(broken, 0);
	for (unsigned int i = 0; i < GATES; i++) {
		assert_int_equal(queues[i].broken, 0);
		assert_int_equal(queues[i].behind.count, queues[i].behind.twin);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(never_both)};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
