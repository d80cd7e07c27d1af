/* SPDX-License-Identifier: BSD-3-Clause */
/* A generator of many flows, for several destinations. */
#include <errno.h>
#include <stdlib.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "nic.h"

#define FLOWS 100000
#define DSTS  4
#define FIRST UINT32_C(0xc6120000) /* 198.18.0.0 */
#define NETS  131072               /* addresses of 198.18.0.0/15 */

static uint32_t
source_of(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *,
		RTE_ETHER_HDR_LEN);

	assert_int_equal(ip->next_proto_id, IPPROTO_UDP);
	return rte_be_to_cpu_32(ip->src_addr) - FIRST;
}

static uint8_t
destination_of(const struct rte_mbuf *m)
{
	return rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->dst_addr.addr_bytes[5];
}

/* Every flow has an address of its own, and its frames their place in the sequence. */
void
test_flows(void **state)
{
	struct rte_pmd_emunic_gen gen = {
		.frame = 60,
		.flows = FLOWS,
		.dst.addr_bytes = {0x02, 0xee, 0, 0, 0, 10},
		.dsts = DSTS,
		.count = 2 * FLOWS,
	};
	const uint16_t port = nic_open("engine=step,gen=1,start=manual");
	uint8_t *seen = calloc(NETS, 1);
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int count = 0;
	uint16_t n;

	assert_non_null(seen);
	nic_start(port, 1, 1, 512, nic_pool, NULL);
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), 0);
	assert_int_equal(rte_pmd_emunic_source(port, 1), 0);
	do {
		rte_pmd_emunic_step(port, NIC_BURST, NIC_BURST);
		n = rte_eth_rx_burst(port, 0, pkts, NIC_BURST);
		for (uint16_t i = 0; i < n; i++) {
			const uint32_t source = source_of(pkts[i]);

			assert_in_range(source, 0, NETS - 1);
			assert_in_range(++seen[source], 1, 2);
			assert_int_equal(destination_of(pkts[i]),
				10 + count % FLOWS / (FLOWS / DSTS));
			count++;
		}
		nic_send(port, pkts, n);
	} while (n > 0);
	assert_int_equal(count, gen.count);
	nic_flush(port);
	assert_int_equal(nic_xstat(port, "tx_verified"), gen.count);
	assert_int_equal(nic_xstat(port, "tx_lost"), 0);
	assert_int_equal(nic_xstat(port, "tx_out_of_order"), 0);
	free(seen);
	nic_close(port);
}

/* What is out of range is refused, and nothing changes. */
void
test_bad_flows(void **state)
{
	struct rte_pmd_emunic_gen gen = {.frame = 60, .flows = NETS};
	const uint16_t port = nic_open("engine=step,gen=1,start=manual");

	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), 0);
	gen.flows = NETS + 1;
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), -EINVAL);
	gen.flows = 0;
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), -EINVAL);
	gen.flows = 3;
	gen.dsts = 4;
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), -EINVAL);
	gen.flows = 1000;
	gen.dsts = 257;
	assert_int_equal(rte_pmd_emunic_gen_set(port, &gen), -EINVAL);
	nic_close(port);
}
