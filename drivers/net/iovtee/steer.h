/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering (trust=0): the NIC sends a guest's frames, and nothing else, into its queues. Each guest has one
 * rule for its address: to a queue, or by RSS over several. All else stays out of claimed queues, mapped or
 * not: they are taken out of the RSS table, and queue 0, where the rest goes, is never one of them. With the
 * control lock held.
 */
#ifndef IOVTEE_STEER_H
#define IOVTEE_STEER_H

#include "mapping.h"

struct rte_eth_rss_reta_entry64;

/** The largest set of these queues of the guest (bit i: queue i) that the NIC would spread its frames over. */
uint32_t steer_choose(const struct vhost_port *p, uint32_t queues);

/**
 * Spread the guest's frames over these queues from now on; 0: none, they arrive elsewhere.
 * @return false (logged): the NIC refuses, the frames arrive elsewhere
 */
bool steer_set(struct vhost_port *p, uint32_t queues);

/** A port restart may lose rules: take them out before it, install them again after it. */
void steer_park(struct uplink *up);
void steer_unpark(struct uplink *up);

/**
 * Take the queues of untrusted guests out of the RSS table. After start and after each change.
 * @return how many entries had to be changed, or negative errno
 */
int steer_keep_exclusive(struct uplink *up);

/** Set the RSS table as the application wants it, but for those queues. */
int steer_reta_update(struct uplink *up, const struct rte_eth_rss_reta_entry64 *reta,
	uint16_t size);

#endif
