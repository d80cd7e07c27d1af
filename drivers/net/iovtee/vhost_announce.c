/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After a live migration the network must learn where the guest is now. Guests that cannot tell it
 * themselves (VIRTIO_NET_F_GUEST_ANNOUNCE) are spoken for, by a RARP packet that seems to come from them.
 */
#include <string.h>

#include <rte_net.h>
#include <rte_arp.h>

#include "vhost.h"

void
vhost_announce(struct vhost_port *p, uint64_t mac)
{
	struct vhost_rxq *q = &p->rxq[0];

	gate_close(&q->gate);
	memcpy(&p->announced, &mac, sizeof(p->announced));
	q->announce = true;
	gate_open(&q->gate);
}

uint16_t
vhost_receive_announcement(struct vhost_rxq *q, struct rte_mbuf **pkt)
{
	struct rte_mbuf *m = rte_net_make_rarp_packet(q->pool, &q->port->announced);

	if (m == NULL)
		return 0;
	m->port = q->port->data->port_id;
	q->announce = false;
	q->stats.packets++;
	q->stats.bytes += m->pkt_len;
	*pkt = m;
	return 1;
}
