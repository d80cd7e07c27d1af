/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is around the ports of a budget's beds: the application's pool, and the physical port behind the uplink,
 * whose bursts do no more than move pointers.
 */
#ifndef BUDGET_NIC_H
#define BUDGET_NIC_H

#include <ethdev_driver.h>

#include "budget.h"

struct nic {
	uint16_t port;
	struct rte_mbuf *received[BURST]; /* what the next receive burst gives */
	struct rte_mbuf *sent[BURST];     /* what the last transmit burst took */
	uint64_t cleanups;                /* times that its driver was asked for what it has sent */
};

extern struct nic nic;
extern struct rte_mempool *app_pool;

/* Of the port under test: what its functions look at. */
extern struct rte_eth_dev_data port_data;

void nic_open(void);
void nic_close(void);

/* What a NIC and its driver make of posted buffers: a frame each, of len bytes, to the guest's address. */
void nic_receive(struct rte_mbuf *const *posted, uint32_t len);

/* That address, in the upper 48 bits of a word. */
uint64_t nic_guest_mac(void);

/* Take what was sent apart, as drivers do. Returns how many mbufs that are. */
unsigned int nic_take_sent(struct rte_mbuf *mbufs[2 * BURST]);

#endif
