/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether packets are sent out of the guest's memory, and what is needed for that. */
#include <rte_vhost.h>

#include "vhost.h"

/* One in this many ring entries is kept for copies: the guest has room to go on, however long NICs take. */
#define KEPT_FOR_COPIES 8

/* Headers are copied, and the rest is a second mbuf: does the application ask for such packets, and send them? */
static bool
takes_segments(const struct vhost_port *p)
{
	return (p->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) &&
		uplink_takes_segments(p->uplink);
}

bool
vhost_headroom_known(const struct vhost_conf *conf, struct rte_mempool *pool)
{
	return conf->headroom != VHOST_HEADROOM_AUTO || rte_pktmbuf_priv_size(pool) == 0;
}

/* Not during a migration, which has enough to do. */
bool
vhost_may_borrow(const struct vhost_rxq *q)
{
	const struct vhost_port *p = q->port;

	return p->conf.loans != VHOST_LOANS_OFF && p->uplink != NULL && guest_dma_ok(p->guest) &&
		!vhost_has(p, VHOST_F_LOG_ALL) && uplink_can_reap(p->uplink) &&
		(p->conf.loans == VHOST_LOANS_WHOLE ? vhost_headroom_known(&p->conf, q->pool)
						    : takes_segments(p));
}

void
vhost_make_loans(struct vhost_rxq *q, struct iovt_txq_conf *c)
{
	const struct vhost_port *p = q->port;
	const bool whole = p->conf.loans == VHOST_LOANS_WHOLE;
	uint16_t headroom = p->conf.headroom == VHOST_HEADROOM_GUEST ? RTE_PKTMBUF_HEADROOM
								     : c->hdr_len;

	if (!vhost_may_borrow(q))
		return;
	q->loans = loan_pool_create(c->ring.size, q->pool, p->data->port_id, whole ? headroom : 0,
		!whole, mapping_dma_device(p));
	if (q->loans == NULL)
		return;
	c->borrow_max = c->ring.size - c->ring.size / KEPT_FOR_COPIES;
	c->front = whole ? headroom - c->hdr_len : 0;
	c->release = loan_pool_gone;
	c->ctx = q->loans;
}

void
vhost_drop_loans(struct vhost_rxq *q)
{
	if (q->loans == NULL)
		return;
	loan_pool_retire(q->loans);
	loan_pool_gone(q->loans);
	q->loans = NULL;
}
