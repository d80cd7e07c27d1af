/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet costs in instructions. A bed runs laps: one burst through every stage of one direction, in
 * steady state, with a fake guest at one end. A case counts one of these stages; valgrind does the counting
 * (tests/budget/run), here is only said where.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdint.h>

#include "fake_guest.h"

#define BURST 32u

struct rte_mbuf;
struct budget_case;

/* A stage's function: as an ethdev has it. Those of the engine leave pkts alone. */
typedef uint16_t (*burst_fn)(void *queue, struct rte_mbuf **pkts, uint16_t n);

struct budget_bed {
	void *(*open)(const struct budget_case *c, const struct fake_format *format);
	void (*lap)(void *bed);
	void (*close)(void *bed);
};

/* What may be counted, and how packets travel. */
enum stage {
	HARVEST,
	COMPLETE,
	COPY,
	TAKE,
	RETURN,
	REFILL,
	UPLINK_RX,
	VHOST_TX,
	VHOST_RX,
	UPLINK_TX
};
enum way { COPIED, IN_PLACE, WHOLE, HEADERS };

struct budget_case {
	const char *name;
	unsigned int frame; /* bytes with CRC, as the benchmark has it */
	const struct budget_bed *bed;
	enum stage stage;
	enum way way;
	bool any_ring; /* the ring format makes no difference */
};

extern const struct budget_bed engine_receive;
extern const struct budget_bed engine_transmit;
extern const struct budget_bed port_receive;
extern const struct budget_bed port_transmit;

/* Bytes of a case's frames in memory. */
uint32_t budget_len(const struct budget_case *c);

/* One burst, which is counted. */
uint16_t counted_burst(burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t n);

/* One burst of a lap: counted, if the case is about this stage. */
static inline uint16_t
stage_burst(const struct budget_case *c, enum stage stage, burst_fn fn, void *queue,
	struct rte_mbuf **pkts)
{
	return c->stage == stage ? counted_burst(fn, queue, pkts, BURST) : fn(queue, pkts, BURST);
}

/* Functions for the two ring formats, of one of the engine's that is inlined for each. */
#define BUDGET_FOR_BOTH(function)                                                                  \
	static uint16_t function##_split(void *bed, struct rte_mbuf **pkts, uint16_t n)            \
	{                                                                                          \
		return function(bed, IOVT_SPLIT, n);                                               \
	}                                                                                          \
	static uint16_t function##_packed(void *bed, struct rte_mbuf **pkts, uint16_t n)           \
	{                                                                                          \
		return function(bed, IOVT_PACKED, n);                                              \
	}

#endif
