/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames the port takes, and into which queue. */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>

#include "nic.h"

#define QUEUES 4
#define OTHER  "02:00:00:00:00:01" /* the generator's default destination: not the port's address */

static uint16_t
open_other(void)
{
	const struct rte_eth_conf conf = {
		.rxmode =
			{
				.mq_mode = RTE_ETH_MQ_RX_RSS,
				.offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH,
			},
		.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_UDP,
	};
	uint16_t port = nic_open("engine=step,gen=1,rxq=%u", QUEUES);

	nic_start(port, QUEUES, 1, 512, nic_pool, &conf);
	return port;
}

/* Generate 50 frames; all enter this queue. */
static void
expect_in(uint16_t port, uint16_t queue)
{
	nic_step(port, 50, 50);
	assert_int_equal(nic_drain(port, queue), 50);
}

/* Generate 50 frames; none enters. */
static void
expect_nowhere(uint16_t port)
{
	uint64_t before = nic_xstat(port, "rx_no_match_drops");
	uint16_t q;

	nic_step(port, 50, 50);
	assert_int_equal(nic_xstat(port, "rx_no_match_drops") - before, 50);
	for (q = 0; q < QUEUES; q++)
		assert_int_equal(nic_drain(port, q), 0);
}

static void
redirect_all(uint16_t port, uint16_t queue)
{
	struct rte_eth_dev_info info;
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	unsigned int i;

	assert_int_equal(rte_eth_dev_info_get(port, &info), 0);
	assert_in_range(info.reta_size, 1, RTE_ETH_RSS_RETA_SIZE_512);
	memset(reta, 0, sizeof(reta));
	for (i = 0; i < info.reta_size; i++) {
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1)
			<< i % RTE_ETH_RETA_GROUP_SIZE;
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = queue;
	}
	assert_int_equal(rte_eth_dev_rss_reta_update(port, reta, info.reta_size), 0);
}

void
test_rss(void **state)
{
	uint16_t port = open_other(), q, i, n;
	unsigned int total = 0, used = 0;
	struct rte_mbuf *pkts[160];

	expect_nowhere(port);
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	nic_step(port, 160, 160);
	for (q = 0; q < QUEUES; q++) {
		n = rte_eth_rx_burst(port, q, pkts, RTE_DIM(pkts));
		for (i = 0; i < n; i++) {
			assert_true((pkts[i]->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0);
			assert_int_equal(pkts[i]->hash.rss % 128 % QUEUES, q);
		}
		rte_pktmbuf_free_bulk(pkts, n);
		total += n;
		used += n > 0;
	}
	assert_int_equal(total, 160);
	assert_true(used > 1);
	redirect_all(port, 3);
	expect_in(port, 3);
	nic_close(port);
}

/* What the device cannot do is refused with a message. */
static void
refuse_other_rules(uint16_t port)
{
	const struct rte_flow_item pattern[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_DROP},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_attr attr = {.egress = 1};
	struct rte_flow_error error = {0};

	assert_true(rte_flow_validate(port, &attr, pattern, actions, &error) < 0);
	assert_non_null(error.message);
	attr = (struct rte_flow_attr){.ingress = 1};
	error = (struct rte_flow_error){0};
	assert_true(rte_flow_validate(port, &attr, pattern, actions, &error) < 0);
	assert_non_null(error.message);
	assert_int_equal(nic_rule(port, OTHER, -1, 2, NULL), -EEXIST);
	assert_int_equal(nic_rule(port, "02:00:00:00:00:02", -1, QUEUES, NULL), -EINVAL);
}

void
test_rules(void **state)
{
	uint16_t port = open_other();
	struct rte_flow_error error;
	struct rte_flow *flow;

	assert_int_equal(nic_rule(port, OTHER, -1, 2, &flow), 0);
	refuse_other_rules(port);
	expect_in(port, 2);
	assert_int_equal(rte_flow_destroy(port, flow, &error), 0);
	expect_nowhere(port);

	/* Isolated, a port takes what a rule matches, promiscuous or not. */
	assert_int_equal(rte_eth_promiscuous_enable(port), 0);
	assert_int_equal(rte_flow_isolate(port, 1, &error), 0);
	expect_nowhere(port);
	assert_int_equal(nic_rule(port, OTHER, -1, 1, &flow), 0);
	expect_in(port, 1);
	assert_int_equal(rte_flow_flush(port, &error), 0);
	expect_nowhere(port);
	assert_int_equal(rte_flow_isolate(port, 0, &error), 0);
	redirect_all(port, 3);
	expect_in(port, 3);
	nic_close(port);
}

void
test_addresses(void **state)
{
	struct rte_ether_addr other;
	uint16_t port = open_other();

	assert_int_equal(rte_ether_unformat_addr(OTHER, &other), 0);
	redirect_all(port, 3);
	expect_nowhere(port);
	assert_int_equal(rte_eth_dev_mac_addr_add(port, &other, 0), 0);
	expect_in(port, 3);
	assert_int_equal(rte_eth_dev_mac_addr_remove(port, &other), 0);
	expect_nowhere(port);
	assert_int_equal(rte_eth_dev_default_mac_addr_set(port, &other), 0);
	expect_in(port, 3);
	nic_close(port);
}

void
test_link_and_mtu(void **state)
{
	uint16_t port = nic_open(NIC_GEN ",frame=1400");
	struct rte_eth_link link;

	nic_start(port, 1, 1, 512, nic_pool, NULL);
	assert_int_equal(rte_eth_dev_set_link_down(port), 0);
	assert_int_equal(rte_eth_link_get_nowait(port, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_DOWN);
	nic_step(port, 50, 0);
	assert_int_equal(rte_eth_dev_set_link_up(port), 0);
	assert_int_equal(rte_eth_link_get_nowait(port, &link), 0);
	assert_int_equal(link.link_status, RTE_ETH_LINK_UP);
	assert_int_equal(link.link_speed, RTE_ETH_SPEED_NUM_100G);
	expect_in(port, 0);

	assert_int_equal(rte_eth_dev_set_mtu(port, 1000), 0);
	nic_step(port, 10, 10);
	assert_int_equal(nic_xstat(port, "rx_too_long_drops"), 10);
	assert_int_equal(nic_drain(port, 0), 0);
	assert_true(rte_eth_dev_set_mtu(port, 1501) < 0);
	assert_int_equal(rte_eth_dev_set_mtu(port, 1500), 0);
	expect_in(port, 0);
	nic_close(port);
}
