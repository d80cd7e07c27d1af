/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_prefetch.h>

#include "nf.h"
#include "switch.h"

#define PREFETCH 4
/* The NIC gets its turn even when packets come as fast as the NF takes them. */
#define NF_TURN_MAX 256

static inline void
swap_macs(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	const struct rte_ether_addr dst = eth->dst_addr;

	eth->dst_addr = eth->src_addr;
	eth->src_addr = dst;
}

/* Returns how many packets came. */
static inline uint16_t
nf_burst(uint16_t port)
{
	struct rte_mbuf *pkts[BURST];
	const uint16_t n = rte_eth_rx_burst(port, 0, pkts, BURST);
	uint16_t sent;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH], void *));
		swap_macs(pkts[i]);
	}
	sent = rte_eth_tx_burst(port, 0, pkts, n);
	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
	return n;
}

/*
 * The NF empties its queue before the NIC brings more, so that what is under way fits the queues
 * (see datapath.c) and nothing is lost however the two cores are scheduled.
 */
static inline unsigned int
turn(const struct datapath *dp)
{
	unsigned int moved = 0;
	uint16_t n;

	do {
		n = nf_burst(dp->nf);
		moved += n;
	} while (n == BURST && moved < NF_TURN_MAX);
	return moved + rte_pmd_emunic_step(dp->device, BURST);
}

void
nf_run_for(const struct datapath *dp, uint64_t cycles)
{
	const uint64_t start = rte_rdtsc();

	do
		turn(dp);
	while (rte_rdtsc() - start < cycles);
}

static uint64_t
under_way(const struct rte_pmd_emunic_counters *c)
{
	return c->rx_frames - c->tx_frames;
}

void
nf_run_until_empty(const struct datapath *dp, const struct rte_pmd_emunic_counters *idle,
	uint64_t patience)
{
	struct rte_pmd_emunic_counters now;
	uint64_t last = rte_rdtsc();

	do {
		if (turn(dp) > 0)
			last = rte_rdtsc();
		rte_pmd_emunic_counters_get(dp->device, &now);
	} while (under_way(&now) != under_way(idle) && rte_rdtsc() - last < patience);
}
