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

/* A forwarding table entry: destination MAC as a number, and where it lives. */
struct route {
	uint64_t mac;
	enum switch_port port;
};

struct fwd {
	uint16_t port_id[PORT_COUNT];
	uint16_t queues[PORT_COUNT];
	struct route route;
	uint64_t clock; /* TSC at the end of the stage before */
};

static const enum stage rx_stage[PORT_COUNT] = {STAGE_UPLINK_RX, STAGE_VHOST_RX};
static const enum stage tx_stage[PORT_COUNT] = {STAGE_UPLINK_TX, STAGE_VHOST_TX};

/* A stage ends, and the next one begins: one reading of the clock, which takes time itself. */
static inline void
stage_end(struct fwd *f, struct tally *t, enum stage stage)
{
	const uint64_t now = rte_rdtsc();

	t->cycles[stage] += now - f->clock;
	f->clock = now;
}

static inline uint64_t
mac_key(const struct rte_ether_addr *addr)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, addr->addr_bytes, sizeof(low));
	memcpy(&high, addr->addr_bytes + sizeof(low), sizeof(high));
	return low | (uint64_t)high << 32;
}

/* Look a packet's destination up; what is not in the table is behind the uplink. */
static inline enum switch_port
look_up(const struct fwd *f, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return mac_key(&eth->dst_addr) == f->route.mac ? f->route.port : PORT_UPLINK;
}

/*
 * Look every packet up, and leave those to forward in pkts, in order: a frame does not go back out of
 * the port it came from. Returns how many are left.
 */
static inline uint16_t
classify(const struct fwd *f, struct rte_mbuf **pkts, uint16_t n, enum switch_port from)
{
	struct rte_mbuf *back[BURST];
	uint16_t forward = 0, backward = 0;

	for (uint16_t i = 0; i < n && i < PREFETCH; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH], void *));
		if (likely(look_up(f, m) != from))
			pkts[forward++] = m;
		else
			back[backward++] = m;
	}
	if (unlikely(backward > 0))
		rte_pktmbuf_free_bulk(back, backward);
	return forward;
}

/* Returns how many packets the port took; the others are dropped. */
static inline uint16_t
transmit(const struct fwd *f, enum switch_port to, struct rte_mbuf **pkts, uint16_t n)
{
	const uint16_t sent = rte_eth_tx_burst(f->port_id[to], 0, pkts, n);

	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
	return sent;
}

/* Poll all queues of one port and forward what came; returns the number of packets. */
static inline uint16_t
forward(struct fwd *f, enum switch_port from, struct tally *t)
{
	const enum switch_port to = from == PORT_UPLINK ? PORT_VHOST : PORT_UPLINK;
	struct rte_mbuf *pkts[BURST];
	uint16_t total = 0;

	for (uint16_t q = 0; q < f->queues[from]; q++) {
		uint16_t n, sent;

		n = rte_eth_rx_burst(f->port_id[from], q, pkts, BURST);
		stage_end(f, t, rx_stage[from]);
		if (n == 0)
			continue;
		t->received += n;
		t->bursts++;
		total += n;
		n = classify(f, pkts, n, from);
		stage_end(f, t, STAGE_CLASSIFY);
		sent = transmit(f, to, pkts, n);
		stage_end(f, t, tx_stage[to]);
		t->round_trips += to == PORT_UPLINK ? sent : 0;
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

/* One iteration; returns the fewest packets that a direction had. */
static inline uint16_t
iterate(struct fwd *f, struct tally *sum, uint64_t limit)
{
	static const struct tally left_out = {.iterations = 1, .interrupted = 1};
	struct tally t = {.iterations = 1};
	uint16_t down, up;

	f->clock = rte_rdtsc();
	down = forward(f, PORT_UPLINK, &t);
	up = forward(f, PORT_VHOST, &t);
	if (t.bursts > 0)
		tally_add(sum, likely(busy_cycles(&t) < limit) ? &t : &left_out);
	return RTE_MIN(down, up);
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
		if (iterate(f, sum, run->limit) < BURST)
			spin(run->wait);
	}
}

int
switch_main(void *arg)
{
	struct switch_run *run = arg;
	const struct datapath *dp = run->dp;
	struct fwd f = {
		.port_id = {dp->uplink, dp->vhost},
		.queues = {dp->spec->uplink_queues, 1},
		.route = {mac_key(&dp->nf_mac), PORT_VHOST},
	};
	struct tally ignored = {0};

	forward_for(&f, &ignored, run, run->warmup);
	memset(&run->tally, 0, sizeof(run->tally));
	forward_for(&f, &run->tally, run, run->measure);
	__atomic_store_n(&run->measured, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&run->stop, __ATOMIC_ACQUIRE))
		iterate(&f, &ignored, run->limit);
	return 0;
}
