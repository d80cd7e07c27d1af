/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What counts as work: an iteration polls every receive queue once. If any packet came, the whole
 * iteration counts, its empty polls too, because a loaded switch polls all its queues; if none
 * came, nothing counts, because a faster NF would have kept the switch from idling. An iteration
 * that took far longer than any work takes was interrupted by the scheduler or the hypervisor and
 * is left out; how many were is reported, for a datapath must not hide its stalls there.
 */
#include <string.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_pause.h>
#include <rte_prefetch.h>

#include "switch.h"

#define PREFETCH 4

struct fwd {
	const struct datapath *dp;
	uint64_t clock; /* TSC at the end of the stage before */
};

static const enum stage rx_stage[PORT_KINDS] = {STAGE_UPLINK_RX, STAGE_VHOST_RX};
static const enum stage tx_stage[PORT_KINDS] = {STAGE_UPLINK_TX, STAGE_VHOST_TX};

/* A stage ends, and the next one begins: one reading of the clock, which takes time itself. */
static inline void
stage_end(struct fwd *f, struct tally *t, enum stage stage)
{
	const uint64_t now = rte_rdtsc();

	t->cycles[stage] += now - f->clock;
	f->clock = now;
}

/* Look a packet's destination up. */
static inline uint16_t
look_up(const struct datapath *dp, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	const uint64_t mac = mac_key(&eth->dst_addr);
	const struct route *r = &dp->route[route_index(mac)];

	return likely(r->mac == mac) ? r->port : 0;
}

static inline void
classify(const struct datapath *dp, struct rte_mbuf **pkts, uint16_t n, uint16_t *to)
{
	for (uint16_t i = 0; i < n && i < PREFETCH; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH], void *));
		to[i] = look_up(dp, pkts[i]);
	}
}

/*
 * Send packets for one port; what it does not take is dropped, and so is what came from there. Returns how
 * many it took.
 */
static inline uint16_t
transmit(const struct datapath *dp, uint16_t from, uint16_t to, struct rte_mbuf **pkts, uint16_t n)
{
	const uint16_t sent = likely(to != from) ? rte_eth_tx_burst(dp->port[to].id, 0, pkts, n)
						 : 0;

	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
	return sent;
}

/* Send packets where they go: those in a row that go to the same port at once. */
static inline void
dispatch(struct fwd *f, struct tally *t, uint16_t from, struct rte_mbuf **pkts, uint16_t n,
	const uint16_t *to)
{
	uint16_t run;

	for (uint16_t i = 0; i < n; i += run) {
		const enum port_kind kind = f->dp->port[to[i]].kind;
		uint16_t sent;

		for (run = 1; i + run < n && to[i + run] == to[i]; run++)
			;
		sent = transmit(f->dp, from, to[i], &pkts[i], run);
		stage_end(f, t, tx_stage[kind]);
		t->round_trips += kind == PORT_UPLINK ? sent : 0;
	}
}

/* Poll all queues of one port and forward what came; returns the number of packets. */
static inline uint16_t
forward(struct fwd *f, uint16_t from, struct tally *t)
{
	const struct switch_port *port = &f->dp->port[from];
	struct rte_mbuf *pkts[BURST];
	uint16_t to[BURST], total = 0;

	for (uint16_t q = 0; q < port->queues; q++) {
		const uint16_t n = rte_eth_rx_burst(port->id, q, pkts, BURST);

		stage_end(f, t, rx_stage[port->kind]);
		if (n == 0)
			continue;
		t->received += n;
		t->bursts++;
		total += n;
		classify(f->dp, pkts, n, to);
		stage_end(f, t, STAGE_CLASSIFY);
		dispatch(f, t, from, pkts, n, to);
	}
	return total;
}

static inline uint64_t
busy_cycles(const struct tally *t)
{
	uint64_t cycles = 0;

	for (int i = 0; i < STAGE_COUNT; i++)
		cycles += t->cycles[i];
	return cycles;
}

/* One iteration; returns whether every port brought as many packets as it can. */
static inline bool
iterate(struct fwd *f, struct tally *sum, uint64_t limit)
{
	static const struct tally left_out = {.iterations = 1, .interrupted = 1};
	struct tally t = {.iterations = 1};
	bool full = true;

	f->clock = rte_rdtsc();
	for (uint16_t p = 0; p < f->dp->port_count; p++)
		full &= forward(f, p, &t) >= f->dp->port[p].fill;
	if (t.bursts > 0)
		tally_add(sum, likely(busy_cycles(&t) < limit) ? &t : &left_out);
	return full;
}

static void
spin(uint64_t cycles)
{
	const uint64_t start = rte_rdtsc();

	while (rte_rdtsc() - start < cycles)
		rte_pause();
}

static void
forward_for(struct fwd *f, struct tally *sum, const struct switch_run *run, uint64_t cycles)
{
	const uint64_t start = rte_rdtsc();

	while (rte_rdtsc() - start < cycles) {
		if (!iterate(f, sum, run->limit))
			spin(run->wait);
	}
}

int
switch_main(void *arg)
{
	struct switch_run *run = arg;
	struct fwd f = {.dp = run->dp};
	struct tally ignored = {0};

	forward_for(&f, &ignored, run, run->warmup);
	memset(&run->tally, 0, sizeof(run->tally));
	forward_for(&f, &run->tally, run, run->measure);
	__atomic_store_n(&run->measured, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&run->stop, __ATOMIC_ACQUIRE))
		iterate(&f, &ignored, run->limit);
	return 0;
}
