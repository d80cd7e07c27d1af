/* SPDX-License-Identifier: BSD-3-Clause
 * The datapaths that can be compared, and the life of their ports.
 */
#ifndef PVP_DATAPATH_H
#define PVP_DATAPATH_H

#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

/*
 * A datapath is three ports, given as devargs in which these words are replaced:
 *   @I  number of the datapath, which keeps port names apart
 *   @S  socket between the vhost port and the NF
 *   @M  MAC address of the NF
 */
struct datapath_spec {
	const char *name;
	const char *what; /* for --help */
	const char *uplink;
	const char *vhost;
	const char *nf;
	const char *plugin; /* file to name when a port type is unknown */
	uint16_t uplink_queues;
	bool segments; /* packets in several mbufs */
};

#define MAX_DATAPATHS 16

extern const struct datapath_spec datapath_specs[];
extern const unsigned int datapath_spec_count;

#define DATAPATH_BASELINE "vhost"

const struct datapath_spec *datapath_find(const char *name);

struct datapath {
	const struct datapath_spec *spec;
	unsigned int id;
	struct rte_ether_addr nf_mac;
	struct rte_mempool *switch_pool;
	struct rte_mempool *nf_pool;
	uint16_t device; /* the emulated NIC itself; the uplink may be a port that wraps it */
	uint16_t uplink;
	uint16_t vhost;
	uint16_t nf;
	unsigned int ports; /* how many of uplink, vhost, nf exist */
};

/*
 * Create, start and connect the ports; sockets in `dir`.
 * On failure everything is taken down again and the cause has been told.
 */
int datapath_open(struct datapath *dp, const struct datapath_spec *spec, const char *dir);

/*
 * Let the NIC generate frames of so many bytes (with CRC) for the NF, once it is switched on:
 * `rate` a second, 0 for as many as possible.
 */
int datapath_set_traffic(const struct datapath *dp, unsigned int frame, unsigned int rate);

void datapath_close(struct datapath *dp);

#endif
