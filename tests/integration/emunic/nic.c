/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>

#include "nic.h"

#define PATIENCE 10000 /* device runs without progress before a test gives up */

struct rte_mempool *nic_pool;

int
nic_setup(void **state)
{
	nic_pool = rte_pktmbuf_pool_create("nic_pool", 8191, 256, 0, NIC_ROOM, SOCKET_ID_ANY);
	return nic_pool != NULL ? 0 : -1;
}

int
nic_teardown(void **state)
{
	rte_vdev_uninit(NIC_NAME); /* there only if the test failed */
	rte_mempool_free(nic_pool);
	return 0;
}

uint16_t
nic_open(const char *format, ...)
{
	uint16_t port = RTE_MAX_ETHPORTS;
	char args[512];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(args, sizeof(args), format, ap);
	va_end(ap);
	assert_in_range(len, 0, sizeof(args) - 1);
	assert_int_equal(rte_vdev_init(NIC_NAME, args), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(NIC_NAME, &port), 0);
	return port;
}

void
nic_start(uint16_t port, uint16_t rxq, uint16_t txq, uint16_t descs, struct rte_mempool *pool,
	const struct rte_eth_conf *conf)
{
	const struct rte_eth_conf plain = {0};
	uint16_t q;

	assert_int_equal(rte_eth_dev_configure(port, rxq, txq, conf != NULL ? conf : &plain), 0);
	for (q = 0; q < rxq; q++)
		assert_int_equal(rte_eth_rx_queue_setup(port, q, descs, 0, NULL, pool), 0);
	for (q = 0; q < txq; q++)
		assert_int_equal(rte_eth_tx_queue_setup(port, q, descs, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
}

void
nic_close(uint16_t port)
{
	assert_int_equal(rte_eth_dev_stop(port), 0);
	assert_int_equal(rte_vdev_uninit(NIC_NAME), 0);
	assert_false(rte_eth_dev_is_valid_port(port));
	assert_int_equal(rte_mempool_in_use_count(nic_pool), 0);
}

struct rte_device *
nic_device(uint16_t port)
{
	struct rte_eth_dev_info info;

	assert_int_equal(rte_eth_dev_info_get(port, &info), 0);
	return info.device;
}

uint64_t
nic_xstat(uint16_t port, const char *name)
{
	uint64_t id, value;

	if (rte_eth_xstats_get_id_by_name(port, name, &id) != 0)
		fail_msg("no extended statistic %s", name);
	assert_int_equal(rte_eth_xstats_get_by_id(port, &id, &value, 1), 1);
	return value;
}

void
nic_step(uint16_t port, unsigned int budget, int moved)
{
	assert_int_equal(rte_pmd_emunic_step(port, budget, budget), moved);
}

void
nic_send(uint16_t port, struct rte_mbuf **pkts, uint16_t n)
{
	unsigned int tries;
	uint16_t sent = 0;

	for (tries = 0; tries < PATIENCE; tries++) {
		sent += rte_eth_tx_burst(port, 0, pkts + sent, n - sent);
		if (sent == n)
			return;
		assert_true(rte_pmd_emunic_step(port, NIC_BURST, NIC_BURST) >= 0);
	}
	fail_msg("%u of %u packets are never taken", n - sent, n);
}

void
nic_flush(uint16_t port)
{
	unsigned int tries;

	assert_int_equal(rte_pmd_emunic_source(port, 0), 0);
	for (tries = 0; rte_pmd_emunic_step(port, NIC_BURST, NIC_BURST) > 0; tries++)
		assert_true(tries < PATIENCE);
	assert_int_equal(rte_pmd_emunic_source(port, 1), 0);
}

unsigned int
nic_drain(uint16_t port, uint16_t queue)
{
	struct rte_mbuf *pkts[NIC_BURST];
	unsigned int total = 0;
	uint16_t n;

	while ((n = rte_eth_rx_burst(port, queue, pkts, NIC_BURST)) > 0) {
		rte_pktmbuf_free_bulk(pkts, n);
		total += n;
	}
	return total;
}

/* One action for the frames to an address, and in one VLAN unless vlan is negative. */
static int
make_rule(uint16_t port, const char *addr, int vlan, enum rte_flow_action_type type,
	const void *conf, struct rte_flow **flow)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_item_eth eth_mask = {
		.hdr.dst_addr.addr_bytes = "\xff\xff\xff\xff\xff\xff"};
	const struct rte_flow_item_vlan tag_mask = {.hdr.vlan_tci = RTE_BE16(0xfff)};
	const struct rte_flow_item_vlan tag = {.hdr.vlan_tci = rte_cpu_to_be_16(vlan)};
	struct rte_flow_item_eth eth = {0};
	const struct rte_flow_item pattern[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = &eth, .mask = &eth_mask},
		{
			.type = vlan < 0 ? RTE_FLOW_ITEM_TYPE_END : RTE_FLOW_ITEM_TYPE_VLAN,
			.spec = &tag,
			.mask = &tag_mask,
		},
		{.type = RTE_FLOW_ITEM_TYPE_END},
	};
	const struct rte_flow_action actions[] = {
		{.type = type, .conf = conf},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {0};
	struct rte_flow *made;
	int valid;

	assert_int_equal(rte_ether_unformat_addr(addr, &eth.hdr.dst_addr), 0);
	valid = rte_flow_validate(port, &attr, pattern, actions, &error);
	made = rte_flow_create(port, &attr, pattern, actions, &error);
	assert_int_equal(valid == 0, made != NULL);
	if (flow != NULL)
		*flow = made;
	if (made != NULL)
		return 0;
	assert_non_null(error.message);
	return -rte_errno;
}

int
nic_rule(uint16_t port, const char *addr, int vlan, uint16_t queue, struct rte_flow **flow)
{
	const struct rte_flow_action_queue to = {.index = queue};

	return make_rule(port, addr, vlan, RTE_FLOW_ACTION_TYPE_QUEUE, &to, flow);
}

int
nic_rss_rule(uint16_t port, const char *addr, const struct rte_flow_action_rss *rss,
	struct rte_flow **flow)
{
	return make_rule(port, addr, -1, RTE_FLOW_ACTION_TYPE_RSS, rss, flow);
}
