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

struct out_burst {
	uint16_t count;
	struct rte_mbuf *pkts[BURST];
};

struct fwd {
	uint16_t port_id[PORT_COUNT];
	uint16_t queues[PORT_COUNT];
	struct route route;
	struct out_burst out[PORT_COUNT];
};

static const enum stage rx_stage[PORT_COUNT] = {STAGE_UPLINK_RX, STAGE_VHOST_RX};
static const enum stage tx_stage[PORT_COUNT] = {STAGE_UPLINK_TX, STAGE_VHOST_TX};

static inline uint64_t
mac_key(const struct rte_ether_addr *addr)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, addr->addr_bytes, sizeof(low));
	memcpy(&high, addr->addr_bytes + sizeof(low), sizeof(high));
	return low | (uint64_t)high << 32;
}

/* Look every packet's destination up; what is not in the table is behind the uplink. */
static inline void
classify(struct fwd *f, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n && i < PREFETCH; i++)
		rte_prefetch0(rte_pktmbuf_mtod(pkts[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(pkts[i], void *);
		struct out_burst *out;

		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH], void *));
		out = &f->out[mac_key(&eth->dst_addr) == f->route.mac ? f->route.port
								      : PORT_UPLINK];
		out->pkts[out->count++] = pkts[i];
	}
}

/* Returns how many packets the port took; the others are dropped. */
static inline uint16_t
transmit(struct fwd *f, enum switch_port to)
{
	struct out_burst *out = &f->out[to];
	const uint16_t sent = rte_eth_tx_burst(f->port_id[to], 0, out->pkts, out->count);

	if (unlikely(sent < out->count))
		rte_pktmbuf_free_bulk(&out->pkts[sent], out->count - sent);
	out->count = 0;
	return sent;
}

/* Poll all queues of one port and forward what came; returns the number of packets. */
static inline uint16_t
forward(struct fwd *f, enum switch_port from, struct tally *t)
{
	const enum switch_port to = from == PORT_UPLINK ? PORT_VHOST : PORT_UPLINK;
	struct out_burst *back = &f->out[from];
	struct rte_mbuf *pkts[BURST];
	uint64_t t0, t1, t2, t3;
	uint16_t total = 0;

	for (uint16_t q = 0; q < f->queues[from]; q++) {
		uint16_t n, sent;

		t0 = rte_rdtsc();
		n = rte_eth_rx_burst(f->port_id[from], q, pkts, BURST);
		t1 = rte_rdtsc();
		t->cycles[rx_stage[from]] += t1 - t0;
		if (n == 0)
			continue;
		classify(f, pkts, n);
		/* A frame does not go back out of the port it came from. */
		if (unlikely(back->count > 0)) {
			rte_pktmbuf_free_bulk(back->pkts, back->count);
			back->count = 0;
		}
		t2 = rte_rdtsc();
		sent = transmit(f, to);
		t3 = rte_rdtsc();
		t->cycles[STAGE_CLASSIFY] += t2 - t1;
		t->cycles[tx_stage[to]] += t3 - t2;
		t->round_trips += to == PORT_UPLINK ? sent : 0;
		t->received += n;
		t->bursts++;
		total += n;
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
