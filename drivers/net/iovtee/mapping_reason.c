/* SPDX-License-Identifier: BSD-3-Clause */
/* Why zero-copy is not on, for people and programs. */
#include "vhost.h"

static const char *const reason_text[] = {
	[MAP_ON] = "on",
	[MAP_PLAIN] = "off: the port has no uplink=; packets are copied",
	[MAP_NO_GUEST] = "off: no guest is connected, or its queue is not running",
	[MAP_UPLINK_DOWN] = "off: the uplink or its queue is not started",
	[MAP_UPLINK_GONE] = "off: there is no such uplink, or not any more",
	[MAP_NO_MAC] = "off: trust=0 needs mac=, or set trust=1",
	[MAP_SHARED_QUEUE] =
		"off: other traffic reaches this uplink queue too; with trust=0 use a queue "
		"other than 0 of an uplink with several, or set trust=1",
	[MAP_NO_STEERING] =
		"off: the NIC cannot steer the guest's address into the queue (rte_flow); "
		"set trust=1 if the guest may see the queue's traffic",
	[MAP_MISSTEERED] =
		"off: frames for others arrived in the guest's queue, so the NIC does not "
		"honour its steering rule; set trust=1 if the guest may see them",
	[MAP_BUFFERS] =
		"off: the guest's buffers are too small or not contiguous; packets are copied",
	[MAP_DMA] = "off: the NIC cannot reach the guest's memory; back it with hugepages, or use "
		    "--iova-mode=va",
	[MAP_QUEUE] = "off: the uplink's queue could not be set up again; see the log",
	[MAP_RING] = "off: the guest broke its receive ring",
	[MAP_FEW_QUEUES] =
		"off: the NIC cannot spread the guest's address over all of its queues (rte_flow "
		"action RSS); others are mapped; set trust=1 if the guest may see this queue's "
		"traffic",
	[MAP_OWN_MEMORY] =
		"off: the uplink's driver receives into memory of its own (AF_XDP); packets are "
		"copied; net_af_packet receives into the guest's",
	[MAP_DRIVER] =
		"off: the NIC's driver does not give back what it has posted, so the guest could "
		"not get its buffers back; packets are copied",
	[MAP_HEADROOM] =
		"off: the switch keeps a structure of its own in mbufs, so it may push headers, and "
		"abort for want of room: set headroom=guest if the guest is a DPDK application, or "
		"headroom=strict if no more than 12 bytes are ever pushed",
};

const char *
mapping_reason_text(enum map_reason reason)
{
	return reason_text[reason];
}

enum map_reason
mapping_reason(const struct vhost_txq *q)
{
	struct iovt_rxq_view now = {.state = IOVT_RXQ_RUNNING};

	if (q->map.reason != MAP_ON)
		return q->map.reason;
	if (q->map.uq->tee->rxq == NULL)
		return MAP_SHARED_QUEUE; /* withheld, see uplink_queue.c */
	if (q->rxq != NULL)
		now = iovt_rxq_look(q->rxq);
	if (now.state == IOVT_RXQ_BROKEN)
		return MAP_RING;
	if (!q->port->conf.trust && q->port->spread.rule == NULL)
		return MAP_NO_STEERING; /* lost in a restart of the uplink */
	return now.unbindable && now.lent == 0 ? MAP_BUFFERS : MAP_ON;
}
