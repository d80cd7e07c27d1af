/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from the generator, through the application, back to the verifier. */
#include <errno.h>
#include <sched.h>

#include <rte_cycles.h>
#include <rte_ip.h>

#include "nic.h"

#define FRAMES   5000
#define PATIENCE 30 /* seconds; an unloaded machine needs a fraction of one */

static void
check_received(const struct rte_mbuf *m, uint16_t port, uint16_t frame)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *,
		RTE_ETHER_HDR_LEN);

	assert_int_equal(m->pkt_len, frame);
	assert_int_equal(m->data_len, frame);
	assert_int_equal(m->data_off, RTE_PKTMBUF_HEADROOM);
	assert_int_equal(m->port, port);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->ol_flags, RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD);
	assert_int_equal(rte_be_to_cpu_16(ip->total_length), frame - RTE_ETHER_HDR_LEN);
	assert_int_equal(rte_raw_cksum(ip, sizeof(*ip)), 0xffff);
	assert_int_equal(rte_ipv4_udptcp_cksum_verify(ip, ip + 1), 0);
}

/* What a switch does to a frame. */
static void
swap_addresses(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr src = eth->src_addr;

	eth->src_addr = eth->dst_addr;
	eth->dst_addr = src;
}

static void
check_counters(uint16_t port, uint16_t frame)
{
	struct rte_pmd_emunic_counters c;
	struct rte_eth_stats stats;

	assert_int_equal(rte_pmd_emunic_counters_get(port, &c), 0);
	assert_int_equal(c.source_frames, FRAMES);
	assert_int_equal(c.rx_frames, FRAMES);
	assert_int_equal(c.rx_drops, 0);
	assert_int_equal(c.tx_frames, FRAMES);
	assert_int_equal(c.tx_verified, FRAMES);
	assert_int_equal(c.tx_corrupt, 0);
	assert_int_equal(c.tx_out_of_order, 0);
	assert_int_equal(c.iommu_faults, 0);
	assert_int_equal(nic_xstat(port, "tx_lost"), 0);
	assert_int_equal(nic_xstat(port, "tx_duplicate"), 0);
	assert_int_equal(nic_xstat(port, "tx_other"), 0);

	assert_int_equal(rte_eth_stats_get(port, &stats), 0);
	assert_int_equal(stats.ipackets, FRAMES);
	assert_int_equal(stats.opackets, FRAMES);
	assert_int_equal(stats.ibytes, FRAMES * frame);
	assert_int_equal(stats.obytes, FRAMES * frame);
	assert_int_equal(rte_eth_stats_reset(port), 0);
	assert_int_equal(rte_eth_stats_get(port, &stats), 0);
	assert_int_equal(stats.ipackets, 0);
	assert_int_equal(stats.opackets, 0);
	assert_int_equal(nic_xstat(port, "tx_verified"), 0);
	/* Those of rte_pmd_emunic.h go on. */
	assert_int_equal(rte_pmd_emunic_counters_get(port, &c), 0);
	assert_int_equal(c.tx_verified, FRAMES);
}

static void
check_latency(uint16_t port)
{
	uint64_t median = 0, most = 0;

	assert_int_equal(rte_pmd_emunic_latency(port, 50, &median), 0);
	assert_int_equal(rte_pmd_emunic_latency(port, 100, &most), 0);
	assert_true(median > 0 && median <= most);
	assert_int_equal(rte_pmd_emunic_latency(port, 101, &median), -EINVAL);
	assert_int_equal(rte_pmd_emunic_latency_reset(port), 0);
	assert_int_equal(rte_pmd_emunic_latency(port, 50, &median), -ENODATA);
}

static void
forward(uint16_t frame, uint16_t descs, uint16_t burst)
{
	const struct rte_eth_conf conf = {.rxmode.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM};
	uint16_t port = nic_open(NIC_GEN ",pause=1,count=%u,frame=%u", FRAMES, frame);
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int round, moved = 0;
	uint16_t i, n;

	nic_start(port, 1, 1, descs, nic_pool, &conf);
	for (round = 0; round < 2 * FRAMES && moved < FRAMES; round++) {
		assert_true(rte_pmd_emunic_step(port, burst, burst) >= 0);
		n = rte_eth_rx_burst(port, 0, pkts, burst);
		for (i = 0; i < n; i++) {
			check_received(pkts[i], port, frame);
			swap_addresses(pkts[i]);
		}
		nic_send(port, pkts, n);
		moved += n;
	}
	nic_flush(port);
	check_counters(port, frame);
	check_latency(port);
	nic_close(port);
}

void
test_forward(void **state)
{
	static const uint16_t sizes[] = {60, 61, 62, 63, 100, 577, 1514, 1518};
	unsigned int i;

	for (i = 0; i < RTE_DIM(sizes); i++) {
		forward(sizes[i], 256, NIC_BURST);
		forward(sizes[i], 40, 7); /* rings wrap at odd places and run full */
	}
}

/* What is sent comes back, so that a few frames go round and round. */
void
test_loop(void **state)
{
	uint16_t port = nic_open(NIC_GEN ",pause=1,count=100,loop=1");
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int round, received = 0;
	uint16_t n;

	nic_start(port, 1, 1, 128, nic_pool, NULL);
	for (round = 0; round < 2000; round++) {
		assert_true(rte_pmd_emunic_step(port, NIC_BURST, NIC_BURST) >= 0);
		n = rte_eth_rx_burst(port, 0, pkts, NIC_BURST);
		assert_int_equal(rte_eth_tx_burst(port, 0, pkts, n), n);
		received += n;
	}
	assert_true(received > 1900 * NIC_BURST);
	assert_true(nic_xstat(port, "tx_verified") > 1800 * NIC_BURST);
	assert_int_equal(nic_xstat(port, "tx_corrupt"), 0);
	assert_int_equal(nic_xstat(port, "tx_lost"), 0);
	nic_close(port);
}

/* Send back what is received until `frames` were verified. */
static void
forward_live(uint16_t port, uint64_t frames)
{
	uint64_t deadline = rte_get_timer_cycles() + PATIENCE * rte_get_timer_hz();
	struct rte_pmd_emunic_counters c = {0};
	struct rte_mbuf *pkts[NIC_BURST];
	uint16_t n, sent;

	while (c.tx_verified < frames) {
		n = rte_eth_rx_burst(port, 0, pkts, NIC_BURST);
		for (sent = 0; sent < n; sched_yield()) {
			sent += rte_eth_tx_burst(port, 0, pkts + sent, n - sent);
			assert_true(rte_get_timer_cycles() < deadline);
		}
		assert_int_equal(rte_pmd_emunic_counters_get(port, &c), 0);
		assert_true(rte_get_timer_cycles() < deadline);
	}
}

/* The device on a thread of its own, and queues stopped under it. */
void
test_thread(void **state)
{
	const struct rte_pmd_emunic_gen gen = {.frame = 60, .flows = 1};
	uint16_t port = nic_open("gen=1,pause=1,rate=200000,dst=" NIC_ADDR);
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int i;

	nic_start(port, 1, 1, 256, nic_pool, NULL);
	forward_live(port, 20000);
	assert_int_equal(nic_xstat(port, "tx_lost"), 0);
	assert_int_equal(nic_xstat(port, "tx_out_of_order"), 0);
	for (i = 0; i < 2000; i++) {
		assert_int_equal(rte_eth_dev_rx_queue_stop(port, 0), 0);
		assert_int_equal(rte_eth_dev_rx_queue_start(port, 0), 0);
		rte_pktmbuf_free_bulk(pkts, rte_eth_rx_burst(port, 0, pkts, NIC_BURST));
	}
	forward_live(port, 40000);
	assert_int_equal(nic_xstat(port, "tx_corrupt"), 0);
	assert_int_equal(nic_xstat(port, "tx_duplicate"), 0);
	assert_int_equal(nic_xstat(port, "iommu_faults"), 0);
	nic_step(port, 1, -ENOTSUP);
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), -EBUSY);
	assert_int_equal(rte_pmd_emunic_source(port, 0), 0);
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), 0);
	nic_close(port);
}
