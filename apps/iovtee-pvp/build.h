/* SPDX-License-Identifier: BSD-3-Clause
 * The steps of which datapath_open() consists. All return 0, or a negative errno whose cause has been told.
 */
#ifndef PVP_BUILD_H
#define PVP_BUILD_H

#include "datapath.h"
#include "template.h"

/* Receive queues of the uplink. */
uint16_t build_uplink_queues(const struct setup *setup);

/* The words of a datapath and of one of its NFs; sockets in `dir`. */
int build_words(struct words *w, const struct datapath *dp, unsigned int number, const char *dir);

/* Create one port, to be removed when the datapath is closed. */
int build_port(struct datapath *dp, const char *template, const struct words *w, uint16_t *port);
int build_start(const struct datapath *dp, uint16_t port, uint16_t rxq, uint16_t rx_desc,
	uint16_t tx_desc, struct rte_mempool *pool);

/* The switch will poll it, and find `mac` behind it, if that is given. */
void build_connect(struct datapath *dp, const struct switch_port *port,
	const struct rte_ether_addr *mac);

/* build_nf.c: all NFs, and the switch's ports that they are connected to. */
int build_nfs(struct datapath *dp, const char *dir);

#endif
