/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports towards the guest: a refill of the NIC, its packets through the uplink, and on to the guest. */
#include <rte_malloc.h>

#include "guest.h"
#include "nic.h"
#include "uplink.h"
#include "vhost.h"

#define TEE_SIZE 511

struct bed {
	const struct budget_case *c;
	struct fake_guest guest;
	uint32_t len;
	struct rte_mempool *tee_mp;
	struct uplink_rxq uplink;
	struct vhost_port port;
	struct rte_mbuf *pkts[BURST];
	uint64_t laps;
};

static void
released(void *ctx)
{
}

static struct iovt_rxq *
open_queue(struct bed *b)
{
	const struct iovt_rxq_conf conf = {
		.ring = guest_ring(&b->guest),
		.lend_max = GUEST_RING * 3 / 4,
		.hdr_len = GUEST_HDR,
		.mergeable = true,
		.nic_max = RTE_MBUF_DEFAULT_DATAROOM - GUEST_HDR - RTE_PKTMBUF_HEADROOM,
		.release = released,
	};
	struct iovt_rxq *q;

	CHECK(iovt_rxq_create(&conf, &q) == 0);
	return q;
}

static void
map(struct bed *b, struct vhost_txq *q)
{
	b->tee_mp = tee_pool_create("tee", TEE_SIZE, app_pool,
		rte_pktmbuf_data_room_size(app_pool));
	CHECK(b->tee_mp != NULL);
	q->tee_mp = b->tee_mp;
	q->tee = b->tee_mp->pool_data;
	tee_pool_lend(q->tee, q->rxq);
	b->uplink.tee = q->tee;
	b->uplink.burst = uplink_rx_mapped_fn(true, false);
	b->uplink.steer = (struct uplink_steer){nic_guest_mac(), true};
}

static void *
open_bed(const struct budget_case *c, const struct fake_format *format)
{
	struct bed *b = rte_zmalloc(NULL, sizeof(*b), RTE_CACHE_LINE_SIZE);
	struct vhost_txq *q;

	CHECK(b != NULL);
	b->c = c;
	b->len = budget_len(c);
	guest_open(&b->guest, format, false, 0, GUEST_RING);
	b->port.data = &port_data;
	b->port.conf.queues = 1;
	q = &b->port.txq[0];
	q->port = &b->port;
	q->call.fd = -1;
	q->rxq = open_queue(b);
	q->send = vhost_send_for(q->rxq, false);
	b->port.sender[0].target = q;
	b->port.sender[0].port = &b->port;
	b->uplink.phys_port = nic.port;
	b->uplink.hdr_len = GUEST_HDR;
	b->uplink.burst = uplink_rx_plain;
	if (c->way == IN_PLACE)
		map(b, q);
	return b;
}

/* As a NIC's driver, inside its receive burst. */
static uint16_t
refill(void *pool, struct rte_mbuf **pkts, uint16_t n)
{
	int ret;

	tee_refilling = true;
	ret = rte_mempool_get_bulk(pool, (void **)pkts, n);
	tee_refilling = false;
	return ret == 0 ? n : 0;
}

static void
lap(void *bed)
{
	struct bed *b = bed;

	if (b->tee_mp != NULL)
		stage_burst(b->c, REFILL, refill, b->tee_mp, b->pkts);
	else
		CHECK(rte_pktmbuf_alloc_bulk(app_pool, b->pkts, BURST) == 0);
	nic_receive(b->pkts, b->len);
	stage_burst(b->c, UPLINK_RX, uplink_rx_burst, &b->uplink, b->pkts);
	stage_burst(b->c, VHOST_TX, vhost_tx_burst, &b->port.sender[0], b->pkts);
	guest_turn(&b->guest, GUEST_HDR + b->len);
	b->laps++;
}

/* All went the way that was asked for. */
static void
close_bed(void *bed)
{
	struct bed *b = bed;
	const struct vhost_txq *q = &b->port.txq[0];
	struct iovt_vring_end end;

	CHECK(q->stats.packets == b->laps * BURST);
	CHECK(q->stats.zero_copy_packets == (b->c->way == IN_PLACE ? q->stats.packets : 0));
	CHECK(b->uplink.debound_packets == 0);
	iovt_rxq_close(q->rxq);
	CHECK(iovt_rxq_give_back(q->rxq, &end) == 0);
	iovt_rxq_put(q->rxq);
	rte_mempool_free(b->tee_mp);
	fake_guest_fini(&b->guest);
	rte_free(b);
}

const struct budget_bed port_receive = {open_bed, lap, close_bed};
