/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_prefetch.h>

#include "guest.h"
#include "nf.h"
#include "traffic.h"

#define PREFETCH 4
/* The NIC gets its turn even when packets come as fast as the NF takes them. */
#define NF_TURN_MAX 256
/* What is to be sent is no more than a ring. */
#define NIC_SENDS_ALL UINT_MAX

static inline void
address(struct rte_mbuf *m, const struct nf *nf)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);

	eth->dst_addr = nf->next;
	eth->src_addr = nf->mac;
}

uint16_t
nf_port_burst(const struct nf *nf)
{
	struct rte_mbuf *pkts[BURST];
	const uint16_t n = rte_eth_rx_burst(nf->port, 0, pkts, BURST);
	uint16_t sent;

	if (n == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		if (i + PREFETCH < n)
			rte_prefetch0(rte_pktmbuf_mtod(pkts[i + PREFETCH], void *));
		address(pkts[i], nf);
	}
	sent = rte_eth_tx_burst(nf->port, 0, pkts, n);
	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(&pkts[sent], n - sent);
	return n;
}

uint16_t
nf_guest_burst(const struct nf *nf)
{
	return guest_burst(nf->guest, &nf->mac, &nf->next);
}

/*
 * An NF empties its queue before the NIC brings more, so that what is under way fits the queues
 * (see datapath.c) and nothing is lost however the two cores are scheduled.
 */
static inline unsigned int
nf_turn(const struct nf *nf)
{
	unsigned int moved = 0;
	uint16_t n;

	do {
		n = nf->burst(nf);
		moved += n;
	} while (n == BURST && moved < NF_TURN_MAX);
	return moved;
}

static inline unsigned int
turn(const struct datapath *dp)
{
	unsigned int moved = 0;

	for (unsigned int i = 0; i < dp->nf_count; i++)
		moved += nf_turn(&dp->nf[i]);
	for (unsigned int i = 0; i < dp->nic_count; i++)
		moved += rte_pmd_emunic_step(dp->nic[i], dp->port[0].fill, NIC_SENDS_ALL);
	return moved;
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
		traffic_counters(dp, &now);
	} while (under_way(&now) != under_way(idle) && rte_rdtsc() - last < patience);
}
