/* SPDX-License-Identifier: BSD-3-Clause
 * Ports by the ethdev API alone: create from devargs, start, read counters, remove.
 */
#ifndef PVP_PORT_H
#define PVP_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* Create the vdev port of "name,arguments". */
int port_create(const char *devargs, uint16_t *port);

/*
 * Configure with `rxq` receive queues and one transmit queue of so many descriptors, and start.
 * segments: packets may be in several mbufs.
 */
int port_start(uint16_t port, uint16_t rxq, uint16_t rx_desc, uint16_t tx_desc, bool segments,
	struct rte_mempool *pool);

/* Wait until the link is up; -ETIMEDOUT after `ms`. */
int port_wait_link(uint16_t port, unsigned int ms);

/* Stop, close and remove. */
void port_remove(uint16_t port);

/* Value of an extended statistic, -ENOENT if the port has none of that name. */
int port_xstat(uint16_t port, const char *name, uint64_t *value);

#endif
