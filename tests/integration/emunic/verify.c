/* SPDX-License-Identifier: BSD-3-Clause */
/* What the verifier finds, and the generator it checks. */
#include <errno.h>

#include "nic.h"

static struct rte_mbuf *
receive_one(uint16_t port)
{
	struct rte_mbuf *m = NULL;

	assert_true(rte_pmd_emunic_step(port, 1, 1) >= 0);
	rte_eth_rx_burst(port, 0, &m, 1);
	return m;
}

/* The next frame of the generator. */
static struct rte_mbuf *
next_frame(uint16_t port)
{
	struct rte_mbuf *m = receive_one(port);

	assert_non_null(m);
	return m;
}

static uint16_t
open_one_flow(uint16_t frame)
{
	uint16_t port = nic_open(NIC_GEN ",flows=1,frame=%u", frame);

	nic_start(port, 1, 1, 64, nic_pool, NULL);
	return port;
}

/* One wrong bit anywhere behind the Ethernet header is found. */
void
test_verify_corrupt(void **state)
{
	/* IPv4 length, checksum, addresses; UDP ports and checksum; tag; pattern to its last byte */
	static const uint16_t offsets[] = {16, 24, 26, 31, 36, 41, 46, 47, 50, 55, 57, 60, 300,
		499};
	uint16_t port = open_one_flow(500);
	struct rte_mbuf *m;
	unsigned int i;

	m = next_frame(port);
	nic_send(port, &m, 1);
	for (i = 0; i < RTE_DIM(offsets); i++) {
		m = next_frame(port);
		rte_pktmbuf_mtod(m, uint8_t *)[offsets[i]] ^= 0x10;
		nic_send(port, &m, 1);
		nic_flush(port);
		assert_int_equal(nic_xstat(port, "tx_corrupt"), i + 1);
	}
	assert_int_equal(nic_xstat(port, "tx_verified"), 1);
	/* Their sequence numbers cannot be trusted: they are missing for the next one. */
	m = next_frame(port);
	nic_send(port, &m, 1);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "tx_lost"), RTE_DIM(offsets));
	assert_int_equal(nic_xstat(port, "tx_verified"), 2);
	nic_close(port);
}

void
test_verify_order(void **state)
{
	uint16_t port = open_one_flow(500);
	struct rte_mbuf *pkts[3], *m;

	pkts[0] = next_frame(port);
	pkts[2] = next_frame(port);
	pkts[1] = next_frame(port);
	nic_send(port, pkts, 3);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "tx_verified"), 3);
	assert_int_equal(nic_xstat(port, "tx_out_of_order"), 1);
	assert_int_equal(nic_xstat(port, "tx_lost"), 0);

	rte_pktmbuf_free(next_frame(port));
	m = next_frame(port);
	nic_send(port, &m, 1);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "tx_lost"), 1);
	assert_int_equal(nic_xstat(port, "tx_duplicate"), 0);

	m = next_frame(port);
	rte_mbuf_refcnt_update(m, 1);
	pkts[0] = m;
	pkts[1] = m;
	nic_send(port, pkts, 2);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "tx_duplicate"), 1);
	assert_int_equal(nic_xstat(port, "tx_lost"), 1);
	assert_int_equal(nic_xstat(port, "tx_out_of_order"), 1);
	assert_int_equal(nic_xstat(port, "tx_corrupt"), 0);
	nic_close(port);
}

/* New settings while the port runs: the sequences go on without a jump. */
void
test_generator(void **state)
{
	struct rte_pmd_emunic_gen gen = {
		.frame = 100,
		.flows = 3,
		.dst.addr_bytes = {0x02, 0xee},
		.count = 10,
	};
	uint16_t port = open_one_flow(500);
	unsigned int count = 0;
	struct rte_mbuf *m;

	m = next_frame(port);
	nic_send(port, &m, 1);
	nic_flush(port);
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), 0);
	assert_int_equal(rte_pmd_emunic_source(port, 1), 0);
	while ((m = receive_one(port)) != NULL) {
		assert_int_equal(m->pkt_len, gen.frame);
		nic_send(port, &m, 1);
		count++;
	}
	assert_int_equal(count, gen.count);
	nic_step(port, NIC_BURST, 0);
	assert_int_equal(nic_xstat(port, "tx_verified"), 1 + gen.count);
	assert_int_equal(nic_xstat(port, "tx_lost"), 0);
	gen.frame = 2000;
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), -EINVAL);
	assert_int_equal(rte_pmd_emunic_gen_set(port + 1, &gen), -ENODEV);
	nic_close(port);
}
