/* SPDX-License-Identifier: BSD-3-Clause */
/* Flow rules that spread an address over several queues. */
#include <errno.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_thash.h>
#include <rte_udp.h>

#include "nic.h"

#define QUEUES  4
#define FRAMES  160
#define KEY_LEN 40
#define OTHER   "02:00:00:00:00:01" /* the generator's default destination: not the port's address */

static const uint16_t spread[] = {3, 1, 2}; /* all queues but the first */

/* The port itself hashes none of the generator's frames. */
static uint16_t
open_plain(const char *args)
{
	const struct rte_eth_conf conf = {
		.rxmode =
			{
				.mq_mode = RTE_ETH_MQ_RX_RSS,
				.offloads = RTE_ETH_RX_OFFLOAD_RSS_HASH,
			},
		.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_NONFRAG_IPV4_TCP,
	};
	uint16_t port = nic_open("engine=step,gen=1,flows=32,rxq=%u%s", QUEUES, args);

	nic_start(port, QUEUES, 1, 512, nic_pool, &conf);
	return port;
}

static struct rte_flow_action_rss
over(const uint16_t *queues, uint32_t n)
{
	return (struct rte_flow_action_rss){.queue = queues, .queue_num = n};
}

static uint32_t
hash_of(const struct rte_mbuf *m, const uint8_t *key, bool ports)
{
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(m, const struct rte_ipv4_hdr *,
		RTE_ETHER_HDR_LEN);
	const struct rte_udp_hdr *udp = (const void *)(ip + 1);
	uint32_t tuple[] = {
		rte_be_to_cpu_32(ip->src_addr),
		rte_be_to_cpu_32(ip->dst_addr),
		(uint32_t)rte_be_to_cpu_16(udp->src_port) << 16 | rte_be_to_cpu_16(udp->dst_port),
	};

	return rte_softrss(tuple, ports ? 3 : 2, key);
}

/* Every frame is in the queue that its headers' hash says, so a flow stays in one; all queues are used. */
static void
expect_spread(uint16_t port, const uint16_t *queues, uint32_t n, const uint8_t *key, bool ports)
{
	struct rte_mbuf *pkts[FRAMES];
	unsigned int total = 0;

	nic_step(port, FRAMES, FRAMES);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t got = rte_eth_rx_burst(port, queues[i], pkts, FRAMES);

		assert_in_range(got, 1, FRAMES);
		for (uint16_t k = 0; k < got; k++) {
			assert_true((pkts[k]->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0);
			assert_int_equal(pkts[k]->hash.rss, hash_of(pkts[k], key, ports));
			assert_int_equal(pkts[k]->hash.rss % n, i);
		}
		rte_pktmbuf_free_bulk(pkts, got);
		total += got;
	}
	assert_int_equal(total, FRAMES);
}

static void
refuse(uint16_t port, struct rte_flow_action_rss rss, int error)
{
	assert_int_equal(nic_rss_rule(port, OTHER, &rss, NULL), error);
}

static void
refuse_bad_rules(uint16_t port)
{
	static const uint16_t outside[] = {1, QUEUES};
	struct rte_flow_action_rss rss = over(spread, 3);

	refuse(port, over(spread, 0), -EINVAL);
	refuse(port, over(NULL, 2), -EINVAL);
	refuse(port, over(spread, 33), -EINVAL);
	refuse(port, over(outside, 2), -EINVAL);
	rss.func = RTE_ETH_HASH_FUNCTION_SIMPLE_XOR;
	refuse(port, rss, -ENOTSUP);
	rss = over(spread, 3);
	rss.level = 2;
	refuse(port, rss, -ENOTSUP);
	rss = over(spread, 3);
	rss.types = RTE_ETH_RSS_ETH;
	refuse(port, rss, -ENOTSUP);
	rss = over(spread, 3);
	rss.key = (const uint8_t *)"short";
	rss.key_len = 5;
	refuse(port, rss, -EINVAL);
}

static struct rte_flow_action_rss
ask(uint16_t port, struct rte_flow *flow)
{
	const struct rte_flow_action action = {.type = RTE_FLOW_ACTION_TYPE_RSS};
	struct rte_flow_action_rss rss;
	struct rte_flow_error error;

	assert_int_equal(rte_flow_query(port, flow, &action, &rss, &error), 0);
	return rss;
}

void
test_rss_rules(void **state)
{
	const struct rte_flow_action action = {.type = RTE_FLOW_ACTION_TYPE_RSS};
	struct rte_flow_action_rss rss = over(spread, 3);
	uint8_t key[KEY_LEN];
	uint16_t port = open_plain("");
	struct rte_flow_error error;
	struct rte_flow *flow;

	refuse_bad_rules(port);
	assert_int_equal(nic_rss_rule(port, OTHER, &rss, &flow), 0);
	refuse(port, rss, -EEXIST);
	rss = ask(port, flow);
	assert_int_equal(rss.queue_num, 3);
	assert_memory_equal(rss.queue, spread, sizeof(spread));
	assert_int_equal(rss.key_len, KEY_LEN);
	expect_spread(port, spread, 3, rss.key, true);
	assert_int_equal(rte_flow_destroy(port, flow, &error), 0);
	nic_step(port, 50, 50);
	assert_int_equal(nic_xstat(port, "rx_no_match_drops"), 50);

	/* A key and types of its own. */
	for (unsigned int i = 0; i < KEY_LEN; i++)
		key[i] = 0x6b + 57 * i;
	rss = over(spread, 2);
	rss.key = key;
	rss.key_len = KEY_LEN;
	rss.types = RTE_ETH_RSS_IPV4;
	assert_int_equal(nic_rss_rule(port, OTHER, &rss, &flow), 0);
	expect_spread(port, spread, 2, key, false);
	assert_int_equal(rte_flow_destroy(port, flow, &error), 0);

	/* Frames without what is hashed go to the first. */
	rss = over(spread, 3);
	rss.types = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	assert_int_equal(nic_rss_rule(port, OTHER, &rss, &flow), 0);
	nic_step(port, 50, 50);
	assert_int_equal(nic_drain(port, spread[0]), 50);
	assert_int_equal(rte_flow_destroy(port, flow, &error), 0);

	assert_int_equal(nic_rule(port, OTHER, -1, 2, &flow), 0);
	assert_int_equal(rte_flow_query(port, flow, &action, &rss, &error), -ENOTSUP);
	nic_close(port);
}

void
test_no_rss_rules(void **state)
{
	uint16_t port = open_plain(",flow_rss=0");

	refuse(port, over(spread, 3), -ENOTSUP);
	assert_int_equal(nic_rule(port, OTHER, -1, 2, NULL), 0);
	nic_step(port, 50, 50);
	assert_int_equal(nic_drain(port, 2), 50);
	nic_close(port);
}
