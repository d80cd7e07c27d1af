/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums and segments that packets ask for and the NIC does not make: since it cannot, or since the application has
 * not told it to (a switch that passes on what guests ask for may know nothing of it).
 */
#include "offload.h"
#include "uplink.h"

#define BURST 32

/* All of it is done here, but for tags. */
static const struct offload_takes nothing = {.leave = RTE_MBUF_F_TX_VLAN};

#define SUM_FLAGS (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

void
uplink_finish_init(struct uplink_txq *q, uint64_t offloads, const struct rte_eth_dev_info *info)
{
	const uint64_t l4 = RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

	offloads &= info->tx_offload_capa;
	q->undone = 0;
	if ((offloads & l4) != l4)
		q->undone |= RTE_MBUF_F_TX_L4_MASK;
	if (!(offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM))
		q->undone |= RTE_MBUF_F_TX_IP_CKSUM;
	if (!(offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO))
		q->undone |= RTE_MBUF_F_TX_TCP_SEG;
	q->finish = q->undone | RTE_MBUF_F_TX_TCP_SEG;
	q->segs_max = info->tx_desc_lim.nb_seg_max > 0 ? info->tx_desc_lim.nb_seg_max : UINT16_MAX;
}

void
uplink_finish_start(struct uplink *up)
{
	struct rte_mempool *pool = NULL;

	for (unsigned int i = 0; pool == NULL && i < UPLINK_QUEUES_MAX; i++)
		if (up->rxq[i] != NULL)
			pool = up->rxq[i]->app_pool;
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++)
		if (up->txq[i] != NULL)
			up->txq[i]->pool = pool;
}

/* A segmentation request for what is one segment: no more than one for a checksum. */
static bool
is_small(const struct rte_mbuf *m)
{
	return m->pkt_len <= (uint32_t)m->l2_len + m->l3_len + m->l4_len + m->tso_segsz;
}

static bool
needs_cut(const struct uplink_txq *q, const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) &&
		((q->undone & RTE_MBUF_F_TX_TCP_SEG) || m->nb_segs > q->segs_max);
}

static bool
needs_sum(const struct uplink_txq *q, const struct rte_mbuf *m)
{
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;

	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		return is_small(m) && (q->undone & RTE_MBUF_F_TX_TCP_SEG);
	return (m->ol_flags & q->undone & RTE_MBUF_F_TX_IP_CKSUM) ||
		((l4 == RTE_MBUF_F_TX_TCP_CKSUM || l4 == RTE_MBUF_F_TX_UDP_CKSUM) &&
			(q->undone & RTE_MBUF_F_TX_L4_MASK));
}

/* ---- checksums ---- */

/* Nobody else sees these bytes, and they are no guest's. */
static bool
may_write(const struct rte_mbuf *m, uint16_t len)
{
	return rte_mbuf_refcnt_read(m) == 1 && m->data_len >= len &&
		!(m->ol_flags & (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT)) && !loan_in_guest(m);
}

/* The packet, or a copy of it in its place; NULL: there is none. */
static struct rte_mbuf *
writable(const struct uplink_txq *q, struct rte_mbuf *m, uint16_t len)
{
	struct rte_mbuf *copy;

	if (may_write(m, len))
		return m;
	copy = q->pool != NULL ? rte_pktmbuf_copy(m, q->pool, 0, UINT32_MAX) : NULL;
	if (copy != NULL && copy->data_len < len) {
		rte_pktmbuf_free(copy);
		copy = NULL;
	}
	rte_pktmbuf_free(m);
	return copy;
}

static struct rte_mbuf *
make_sums(struct uplink_txq *q, struct rte_mbuf *m)
{
	struct offload o;

	if (offload_open(&o, m, &nothing) < 0 || o.cut > 0) {
		rte_pktmbuf_free(m);
		q->dropped_offload++;
		return NULL;
	}
	offload_build(&o, m, 0, o.payload);
	m = writable(q, m, o.head_len);
	if (m == NULL) {
		q->copy_drops++;
		return NULL;
	}
	memcpy(rte_pktmbuf_mtod(m, void *), o.head, o.head_len);
	m->ol_flags &= ~SUM_FLAGS;
	q->csum_in_software += o.in_software;
	return m;
}

uint16_t
uplink_finish(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = needs_sum(q, pkts[i]) ? make_sums(q, pkts[i]) : pkts[i];

		if (m != NULL)
			pkts[kept++] = m;
	}
	return kept;
}

/* ---- segments ---- */

/* len bytes at the end of a packet, whose last segment is *last. */
static bool
append(struct rte_mbuf *m, struct rte_mbuf **last, struct rte_mempool *pool, const void *data,
	uint32_t len)
{
	const char *src = data;

	while (len > 0) {
		uint32_t n = RTE_MIN(len, rte_pktmbuf_tailroom(*last));

		if (n == 0) {
			(*last)->next = rte_pktmbuf_alloc(pool);
			if ((*last)->next == NULL)
				return false;
			*last = (*last)->next;
			m->nb_segs++;
			continue;
		}
		memcpy(rte_pktmbuf_mtod_offset(*last, char *, (*last)->data_len), src, n);
		(*last)->data_len += n;
		m->pkt_len += n;
		src += n;
		len -= n;
	}
	return true;
}

static bool
append_payload(struct rte_mbuf *m, struct rte_mbuf **last, struct rte_mempool *pool,
	const struct rte_mbuf *from, uint32_t off, uint32_t len)
{
	for (; len > 0; from = from->next) {
		uint32_t n;

		if (off >= from->data_len) {
			off -= from->data_len;
			continue;
		}
		n = RTE_MIN(len, from->data_len - off);
		if (!append(m, last, pool, rte_pktmbuf_mtod_offset(from, const void *, off), n))
			return false;
		len -= n;
		off = 0;
	}
	return true;
}

/* The packet that carries len bytes of the payload of large, from off on. */
static struct rte_mbuf *
make_segment(struct uplink_txq *q, struct offload *o, const struct rte_mbuf *large, uint32_t off,
	uint32_t len)
{
	struct rte_mbuf *m = q->pool != NULL ? rte_pktmbuf_alloc(q->pool) : NULL, *last = m;

	if (m == NULL)
		return NULL;
	offload_build(o, large, off, len);
	m->port = large->port;
	m->vlan_tci = large->vlan_tci;
	m->ol_flags |= large->ol_flags & RTE_MBUF_F_TX_VLAN;
	if (append(m, &last, q->pool, o->head, o->head_len) &&
		append_payload(m, &last, q->pool, large, o->from + off, len))
		return m;
	rte_pktmbuf_free(m);
	return NULL;
}

/* Some segments, from *off on, which is advanced. Fewer if there are no mbufs. */
static uint16_t
make_segments(struct uplink_txq *q, struct offload *o, const struct rte_mbuf *large, uint32_t *off,
	struct rte_mbuf *segs[BURST])
{
	uint16_t n = 0;

	while (n < BURST && *off < o->payload) {
		uint32_t len = RTE_MIN(o->payload - *off, o->cut);

		segs[n] = make_segment(q, o, large, *off, len);
		if (segs[n] == NULL)
			break;
		n++;
		*off += len;
	}
	return n;
}

/* How many segments a packet's payload from off on would be. */
static uint32_t
segments_from(const struct offload *o, uint32_t off)
{
	return (o->payload - off + o->cut - 1) / o->cut;
}

/*
 * False: nothing of it was sent, the NIC has no room. What does not fit after the first segments is lost: the packet
 * cannot be sent twice.
 */
static bool
cut_and_send(struct uplink_txq *q, struct rte_mbuf *large)
{
	struct rte_mbuf *segs[BURST];
	uint32_t off = 0, sent_off = 0;
	uint16_t made, sent;
	struct offload o;

	if (offload_open(&o, large, &nothing) < 0 || o.cut == 0) {
		q->dropped_offload++;
		rte_pktmbuf_free(large);
		return true;
	}
	do {
		made = make_segments(q, &o, large, &off, segs);
		sent = made > 0 ? uplink_send(q, segs, made) : 0;
		sent_off = RTE_MIN(sent_off + (uint32_t)sent * o.cut, o.payload);
		q->csum_in_software += sent;
		if (sent < made)
			rte_pktmbuf_free_bulk(segs + sent, made - sent);
	} while (made > 0 && sent == made && off < o.payload);
	if (sent_off == 0 && made > 0)
		return false;
	q->segmented_packets++;
	q->dropped_segments += segments_from(&o, sent_off);
	rte_pktmbuf_free(large);
	return true;
}

uint16_t
uplink_send_cut(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0;

	while (done < n) {
		uint16_t run = 0, sent;

		while (done + run < n && !needs_cut(q, pkts[done + run]))
			run++;
		sent = run > 0 ? uplink_send(q, pkts + done, run) : 0;
		done += sent;
		if (sent < run)
			break;
		if (done < n && !cut_and_send(q, pkts[done]))
			break;
		done += done < n;
	}
	return done;
}

/* ---- what is the NIC's ---- */

static bool
is_for_nic(const struct uplink_txq *q, const struct rte_mbuf *m)
{
	return !needs_cut(q, m) && !needs_sum(q, m);
}

uint16_t
uplink_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct uplink_txq *q = queue;
	uint16_t done = 0;

	while (done < n) {
		uint16_t run = 0, ready;

		while (done + run < n && is_for_nic(q, pkts[done + run]))
			run++;
		ready = run > 0 ? rte_eth_tx_prepare(q->phys_port, q->queue, pkts + done, run) : 0;
		done += ready;
		if (ready < run)
			break;
		done += done < n; /* that one is for us, and is looked at when it is sent */
	}
	return done;
}
