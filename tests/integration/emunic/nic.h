/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_EMUNIC_NIC_H
#define TEST_EMUNIC_NIC_H

/*
 * One emulated NIC, as an application sees it: ethdev and rte_pmd_emunic.h only. Most tests use
 * engine=step, where nothing happens by itself and every count is exact.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "rte_pmd_emunic.h"

#define NIC_NAME  "net_emunic0"
#define NIC_ADDR  "02:ee:00:00:00:00"
#define NIC_BURST 32
#define NIC_ROOM  (RTE_PKTMBUF_HEADROOM + 2048)

/** A generator whose frames the port takes. */
#define NIC_GEN "engine=step,gen=1,dst=" NIC_ADDR

/** Made anew for each test, so that one that failed takes nothing from the next. */
extern struct rte_mempool *nic_pool;
int nic_setup(void **state);
int nic_teardown(void **state);

/** Create the port with these device arguments. */
uint16_t nic_open(const char *format, ...) __attribute__((format(printf, 1, 2)));
void nic_start(uint16_t port, uint16_t rxq, uint16_t txq, uint16_t descs, struct rte_mempool *pool,
	const struct rte_eth_conf *conf);

/** Remove the port; it must have kept no mbuf of nic_pool. */
void nic_close(uint16_t port);

struct rte_device *nic_device(uint16_t port);
uint64_t nic_xstat(uint16_t port, const char *name);
void nic_step(uint16_t port, unsigned int budget, int moved);

/** Send all packets, running the device while its ring is full. */
void nic_send(uint16_t port, struct rte_mbuf **pkts, uint16_t n);

/** Let the device send what is posted, with the source off meanwhile. */
void nic_flush(uint16_t port);

/** Receive until a queue is empty, free the packets and return how many there were. */
unsigned int nic_drain(uint16_t port, uint16_t queue);

/** Steer an address, and one VLAN unless vlan is negative, to a queue; a negative errno if refused. */
int nic_rule(uint16_t port, const char *addr, int vlan, uint16_t queue, struct rte_flow **flow);

/** Spread the frames to an address over queues; a negative errno if refused. */
int nic_rss_rule(uint16_t port, const char *addr, const struct rte_flow_action_rss *rss,
	struct rte_flow **flow);

void test_forward(void **state);
void test_loop(void **state);
void test_thread(void **state);
void test_verify_corrupt(void **state);
void test_verify_order(void **state);
void test_generator(void **state);
void test_flows(void **state);
void test_bad_flows(void **state);
void test_queue(void **state);
void test_restart(void **state);
void test_buffer_sizes(void **state);
void test_iommu(void **state);
void test_late_memory(void **state);
void test_rss(void **state);
void test_rules(void **state);
void test_rss_rules(void **state);
void test_offload(void **state);
void test_offload_wrong(void **state);
void test_no_offload(void **state);
void test_no_rss_rules(void **state);
void test_addresses(void **state);
void test_link_and_mtu(void **state);
void test_replay(void **state);
void test_vlan_strip(void **state);
void test_vlan_rules(void **state);
void test_bad_args(void **state);
void test_hotplug(void **state);

#endif /* TEST_EMUNIC_NIC_H */
