/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports from the guest: its packets taken, sent through the uplink, and given back when the NIC is done. */
#include <rte_malloc.h>

#include "control.h"
#include "guest.h"
#include "nic.h"
#include "uplink.h"
#include "vhost.h"

struct bed {
	const struct budget_case *c;
	struct fake_guest guest;
	uint32_t len;
	struct vhost_port port;
	struct uplink_txq uplink;
	struct rte_mbuf *pkts[BURST];
	struct rte_mbuf *done[2 * BURST];
	uint64_t laps;
	uint64_t cleanups; /* of the NIC's, before */
};

static struct vhost_rxq *
queue(struct bed *b)
{
	return &b->port.rxq[0];
}

static void
released(void *ctx)
{
}

static void
open_queue(struct bed *b)
{
	struct iovt_txq_conf conf = {
		.ring = guest_ring(&b->guest),
		.hdr_len = GUEST_HDR,
		.release = released,
	};
	struct vhost_rxq *q = queue(b);
	const bool headers = b->c->way == HEADERS;

	control_lock();
	CHECK(vhost_rx_set_pool(q, app_pool) == 0);
	if (b->c->way != COPIED) {
		q->loans = loan_pool_create(GUEST_RING, app_pool, port_data.port_id,
			headers ? 0 : GUEST_HDR, headers, NULL);
		CHECK(q->loans != NULL);
		conf.borrow_max = GUEST_RING * 7 / 8;
		conf.release = loan_pool_gone;
		conf.ctx = q->loans;
	}
	CHECK(iovt_txq_create(&conf, &q->txq) == 0);
	if (q->loans != NULL)
		q->loans->txq = q->txq;
	vhost_rx_set_receive(q);
	control_unlock();
}

/* What is on loan is shown to the guest one lap later. The first packet of all tells its region, and is copied. */
static void *
open_bed(const struct budget_case *c, const struct fake_format *format)
{
	struct bed *b = rte_zmalloc(NULL, sizeof(*b), RTE_CACHE_LINE_SIZE);

	CHECK(b != NULL);
	b->c = c;
	b->len = budget_len(c);
	guest_open(&b->guest, format, true, b->len, c->way == COPIED ? BURST : 2 * BURST);
	b->port.data = &port_data;
	queue(b)->port = &b->port;
	queue(b)->call.fd = -1;
	open_queue(b);
	b->uplink.phys_port = nic.port;
	b->cleanups = nic.cleanups;
	CHECK(vhost_rx_burst(queue(b), b->pkts, 1) == 1);
	rte_pktmbuf_free(b->pkts[0]);
	guest_turn(&b->guest, GUEST_HDR + b->len);
	return b;
}

static uint16_t
free_whole(void *pool, struct rte_mbuf **pkts, uint16_t n)
{
	rte_mempool_put_bulk(pool, (void *const *)pkts, n);
	return n;
}

static uint16_t
free_pairs(void *pool, struct rte_mbuf **pkts, uint16_t n)
{
	rte_mempool_put_bulk(pool, (void *const *)pkts, 2 * n);
	return n;
}

static void
lap(void *bed)
{
	struct bed *b = bed;
	unsigned int n;

	stage_burst(b->c, VHOST_RX, vhost_rx_burst, queue(b), b->pkts);
	CHECK(b->pkts[0]->pkt_len == b->len);
	stage_burst(b->c, UPLINK_TX, uplink_tx_burst, &b->uplink, b->pkts);
	n = nic_take_sent(b->done);
	stage_burst(b->c, RETURN, n == BURST ? free_whole : free_pairs, b->done[0]->pool, b->done);
	guest_turn(&b->guest, GUEST_HDR + b->len);
	b->laps++;
}

/* Below this, headers and payload are copied together. */
#define PAYLOAD_MIN 640u

/* So many packets that are nobody's loan, and the NIC is asked for what it has sent. */
#define CLEAN_EVERY 128

/* All went the way that was asked for. */
static void
close_bed(void *bed)
{
	struct bed *b = bed;
	const bool lent = b->c->way == WHOLE || (b->c->way == HEADERS && b->len >= PAYLOAD_MIN);
	struct iovt_vring_end end;
	struct iovt_txq_stats stats;

	control_lock();
	if (queue(b)->loans != NULL)
		loan_pool_retire(queue(b)->loans);
	CHECK(iovt_txq_destroy(queue(b)->txq, &end, &stats) == 0);
	control_unlock();
	CHECK(queue(b)->stats.packets == b->laps * BURST + 1);
	CHECK(stats.borrowed == (lent ? b->laps * BURST : 0));
	CHECK(b->uplink.loans == lent);
	CHECK(nic.cleanups - b->cleanups == (lent ? b->laps : b->laps * BURST / CLEAN_EVERY));
	fake_guest_fini(&b->guest);
	rte_free(b);
}

const struct budget_bed port_transmit = {open_bed, lap, close_bed};
