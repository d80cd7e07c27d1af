/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues that are short of buffers, stopped, set up anew; buffers too small for a frame. */
#include <errno.h>
#include <string.h>

#include "nic.h"

#define SMALL 63

/* An empty ring takes buffers as they come, others whole bulks; and the device fills what is posted. */
static void
run_short_of_buffers(uint16_t port, struct rte_mempool *small, void **all)
{
	struct rte_mbuf *pkts[NIC_BURST];

	assert_int_equal(nic_xstat(port, "rx_q0_posted"), 0);
	nic_step(port, NIC_BURST, 0);
	assert_int_equal(nic_drain(port, 0), 0);
	rte_mempool_put_bulk(small, all, 5);
	assert_int_equal(nic_drain(port, 0), 0);
	assert_int_equal(nic_xstat(port, "rx_q0_posted"), 5);
	nic_step(port, NIC_BURST, 5);
	rte_mempool_put_bulk(small, all + 5, SMALL - 5);

	assert_int_equal(rte_eth_rx_queue_count(port, 0), 5);
	assert_int_equal(rte_eth_rx_descriptor_status(port, 0, 4), RTE_ETH_RX_DESC_DONE);
	assert_int_equal(rte_eth_rx_burst(port, 0, pkts, 3), 3);
	assert_int_equal(nic_xstat(port, "rx_q0_posted"), 2 + 3 * 40 / 4);
	assert_int_equal(rte_eth_rx_descriptor_status(port, 0, 2), RTE_ETH_RX_DESC_AVAIL);
	rte_pktmbuf_free_bulk(pkts, 3);
	nic_step(port, 64, 3 * 40 / 4);
}

void
test_queue(void **state)
{
	struct rte_mempool *small = rte_pktmbuf_pool_create("small", SMALL, 0, 0, NIC_ROOM, 0);
	uint16_t port = nic_open(NIC_GEN ",pause=1");
	void *all[SMALL];

	assert_non_null(small);
	assert_int_equal(rte_mempool_get_bulk(small, all, SMALL), 0);
	nic_start(port, 1, 1, 40, small, NULL);
	run_short_of_buffers(port, small, all);

	/* Stopped, it has given every buffer back and receives nothing. */
	assert_int_equal(rte_eth_dev_rx_queue_stop(port, 0), 0);
	assert_int_equal(rte_mempool_in_use_count(small), 0);
	nic_step(port, NIC_BURST, 0);
	assert_int_equal(nic_drain(port, 0), 0);
	assert_int_equal(rte_mempool_in_use_count(small), 0);

	/* Another size and pool. */
	assert_int_equal(rte_eth_rx_queue_setup(port, 0, 72, 0, NULL, nic_pool), 0);
	assert_int_equal(rte_eth_dev_rx_queue_start(port, 0), 0);
	assert_int_equal(nic_xstat(port, "rx_q0_posted"), 72);
	nic_step(port, 200, 72);
	assert_int_equal(nic_drain(port, 0), 72);
	assert_int_equal(rte_mempool_in_use_count(small), 0);
	assert_int_equal(rte_eth_dev_tx_queue_stop(port, 0), 0);
	assert_int_equal(rte_eth_tx_queue_setup(port, 0, 96, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_tx_queue_start(port, 0), 0);
	assert_int_equal(rte_eth_rx_queue_setup(port, 0, 72, 0, NULL, nic_pool), -EBUSY);
	nic_close(port);
	rte_mempool_free(small);

	port = nic_open("engine=step,rxq_stop=0");
	nic_start(port, 1, 1, 64, nic_pool, NULL);
	assert_int_equal(rte_eth_dev_rx_queue_stop(port, 0), -ENOTSUP);
	nic_close(port);
}

/* The port stops and starts with frames under way in both rings. */
void
test_restart(void **state)
{
	uint16_t port = nic_open(NIC_GEN ",pause=1");
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int round;

	nic_start(port, 1, 1, 72, nic_pool, NULL);
	for (round = 0; round < 50; round++) {
		nic_step(port, 10, 10);
		assert_int_equal(rte_eth_rx_burst(port, 0, pkts, 5), 5);
		assert_int_equal(rte_eth_tx_burst(port, 0, pkts, 5), 5);
		assert_int_equal(rte_eth_dev_stop(port), 0);
		assert_int_equal(rte_mempool_in_use_count(nic_pool), 0);
		assert_int_equal(rte_eth_dev_start(port), 0);
	}
	nic_step(port, 10, 10);
	assert_int_equal(nic_drain(port, 0), 10);
	nic_close(port);
}

/* A frame enters no buffer that is too small for it, not even in part. */
void
test_buffer_sizes(void **state)
{
	struct rte_mempool *mixed = rte_pktmbuf_pool_create("mixed", SMALL, 0, 0, NIC_ROOM, 0);
	uint16_t port = nic_open(NIC_GEN ",frame=200,count=10");
	struct rte_mbuf *all[SMALL];
	uint8_t clean[NIC_ROOM];
	unsigned int i;

	memset(clean, 0xa5, sizeof(clean));
	assert_non_null(mixed);
	assert_int_equal(rte_mempool_get_bulk(mixed, (void **)all, SMALL), 0);
	for (i = 0; i < SMALL; i++) {
		all[i]->buf_len = i % 2 == 0 ? 100 : RTE_PKTMBUF_HEADROOM + 199;
		memcpy(all[i]->buf_addr, clean, sizeof(clean));
	}
	rte_mempool_put_bulk(mixed, (void **)all, SMALL);
	nic_start(port, 1, 1, 32, mixed, NULL);
	assert_true(rte_pmd_emunic_step(port, NIC_BURST, NIC_BURST) >= 0);
	assert_int_equal(nic_drain(port, 0), 0);
	assert_int_equal(nic_xstat(port, "rx_too_long_drops"), 10);
	for (i = 0; i < SMALL; i++)
		assert_memory_equal(all[i]->buf_addr, clean, sizeof(clean));
	nic_close(port);
	rte_mempool_free(mixed);
}
