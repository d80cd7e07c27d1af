/* SPDX-License-Identifier: BSD-3-Clause
 * The ports of one datapath, how they are connected, and their life.
 */
#ifndef PVP_DATAPATH_H
#define PVP_DATAPATH_H

#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "spec.h"

#define MAX_DATAPATHS 16
#define MAX_NFS       16
#define MAX_NICS      2
#define MAX_SEEN      (1 + MAX_NFS) /* ports that a switch has */
#define MAX_PORTS     (MAX_SEEN + MAX_NFS)
#define ROUTES        256

#define BURST 32

/* A datapath, and how many NFs of it there are. */
struct setup {
	const struct datapath_spec *spec;
	unsigned int chain; /* NFs that a frame passes */
	unsigned int ports; /* NFs side by side, each with frames of its own; one of the two is 1 */
	bool guests;        /* the NFs are guests of the benchmark's own, not DPDK ports */
};

static inline unsigned int
setup_nfs(const struct setup *s)
{
	return s->chain * s->ports;
}

/* A port that the switch polls. */
struct switch_port {
	uint16_t id;
	uint16_t queues;
	uint16_t fill; /* packets that it brings in an iteration, if nobody is slow */
	enum port_kind kind;
};

/* A forwarding table entry: destination MAC as a number, and the index of a switch_port. */
struct route {
	uint64_t mac;
	uint16_t port;
};

static inline uint64_t
mac_key(const struct rte_ether_addr *addr)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, addr->addr_bytes, sizeof(low));
	memcpy(&high, addr->addr_bytes + sizeof(low), sizeof(high));
	return low | (uint64_t)high << 32;
}

/* Where a MAC is in the table, if it is there: the last byte tells. */
static inline unsigned int
route_index(uint64_t mac)
{
	return mac >> 40;
}

struct guest;

/* A network function: it receives, addresses frames to the next one, and sends. */
struct nf {
	/* One burst; returns how many frames came. */
	uint16_t (*burst)(const struct nf *nf);
	uint16_t port;
	struct guest *guest;
	struct rte_ether_addr mac;
	struct rte_ether_addr next;
};

struct datapath {
	const struct datapath_spec *spec;
	struct setup setup;
	unsigned int id;
	struct rte_mempool *switch_pool;
	struct rte_mempool *nf_pool; /* without NFs: the peer's */
	struct switch_port port[MAX_SEEN];
	unsigned int port_count;
	/* What is not in the table is behind port 0. */
	struct route route[ROUTES];
	struct nf nf[MAX_NFS];
	unsigned int nf_count;
	/* The emulated NICs themselves; the uplink may be a port that wraps one. */
	uint16_t nic[MAX_NICS];
	unsigned int nic_count;
	uint16_t created[MAX_PORTS]; /* in this order */
	unsigned int created_count;
};

/*
 * Create, start and connect the ports; sockets in `dir`; id: unique among those that are open.
 * On failure everything is taken down again and the cause has been told.
 */
int datapath_open(struct datapath *dp, const struct setup *setup, unsigned int id, const char *dir);

void datapath_close(struct datapath *dp);

/* MAC of an NF; the number in its last byte. A limit's peer has that of the first. */
struct rte_ether_addr datapath_nf_mac(const struct datapath *dp, unsigned int number);

/* How many ethdev ports one takes. */
unsigned int datapath_ports_needed(const struct setup *setup);

#endif
