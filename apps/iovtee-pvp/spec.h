/* SPDX-License-Identifier: BSD-3-Clause
 * The datapaths that can be compared.
 */
#ifndef PVP_SPEC_H
#define PVP_SPEC_H

#include <stdbool.h>
#include <stdint.h>

/* A port of the switch, and how its cycles are booked. */
enum port_kind { PORT_UPLINK, PORT_VHOST, PORT_KINDS };

/*
 * A datapath is an uplink, and for each NF two ports: the switch's and the NF's. A limit has no NF and a peer
 * instead. Ports are given as devargs in which these words are replaced:
 *   @I  number of the datapath, which keeps port names apart
 *   @J  the same with the NF's number
 *   @N  number of the uplink's receive queues
 *   @Q  of these, the NF's
 *   @S  socket between the switch's port and the NF
 *   @M  MAC address of the NF
 */
struct datapath_spec {
	const char *name;
	const char *what; /* for --help */
	const char *uplink;
	const char *vhost;
	const char *nf;
	const char *peer;
	const char *plugin; /* file to name when a port type is unknown */
	enum port_kind peer_kind;
	unsigned int nics;    /* emulated ones, which count frames: net_emunic@I, net_emunic_b@I */
	uint16_t first_queue; /* uplink queue of the first NF */
	bool wrapped;         /* the uplink is a port that wraps the NIC */
	bool queue_each; /* every NF has an uplink queue, also those that the NIC does not feed */
	bool segments;   /* packets in several mbufs */
	bool guest;      /* for an NF, a guest of the benchmark's own can take its place */
	bool nf_listens; /* on the socket, to which the switch's port connects */
};

extern const struct datapath_spec datapath_specs[];
extern const unsigned int datapath_spec_count;

#define DATAPATH_BASELINE "vhost"

const struct datapath_spec *datapath_find(const char *name);

#endif
