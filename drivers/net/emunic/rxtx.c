/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver's hot path: descriptors out, descriptors in, nothing else. */
#include <rte_errno.h>
#include <rte_net.h>
#include <rte_prefetch.h>

#include "emunic.h"

#define REFILL_BULK 32
#define CLEAN_BULK  32

/* Descriptors in a cache line; both kinds have 16 bytes. */
#define PER_LINE (RTE_CACHE_LINE_SIZE / 16)

/* As vectorised drivers do: what a descriptor says is one load, a shuffle and a store. */
typedef uint8_t vec_t __attribute__((vector_size(16), may_alias));

static_assert(offsetof(struct rte_mbuf, packet_type) % 16 == 0 &&
		offsetof(struct rte_mbuf, pkt_len) == offsetof(struct rte_mbuf, packet_type) + 4 &&
		offsetof(struct rte_mbuf, data_len) == offsetof(struct rte_mbuf, packet_type) + 8 &&
		offsetof(struct rte_mbuf, vlan_tci) ==
			offsetof(struct rte_mbuf, packet_type) + 10 &&
		offsetof(struct rte_mbuf, hash.rss) == offsetof(struct rte_mbuf, packet_type) + 12,
	"what a descriptor says is 16 bytes in a row");
static_assert(offsetof(union emu_rx_desc, wb.rss) == 0 &&
		offsetof(union emu_rx_desc, wb.vlan_tci) == 4 &&
		offsetof(union emu_rx_desc, wb.ptype) == 6 &&
		offsetof(union emu_rx_desc, wb.len) == 8,
	"describe() knows the layout");

/* Two fields of an mbuf's first 64-bit word of those that drivers set (rearm_data). */
#define REFCNT_SEGS     UINT64_C(0x0000ffffffff0000)
#define ONE_REF_ONE_SEG UINT64_C(0x0000000100010000)
static_assert(offsetof(struct rte_mbuf, refcnt) == offsetof(struct rte_mbuf, rearm_data) + 2 &&
		offsetof(struct rte_mbuf, nb_segs) == offsetof(struct rte_mbuf, rearm_data) + 4,
	"reference count and number of segments");

/* The word that the device writes last, in one piece: what it wrote before is visible after this. */
static inline uint32_t
read_status(const union emu_rx_desc *d)
{
	return __atomic_load_n(&d->read.len, __ATOMIC_ACQUIRE) >> 32;
}
static_assert(offsetof(union emu_rx_desc, wb.status) == offsetof(union emu_rx_desc, read.len) + 4,
	"the status is the upper half of the second word");

/* Packet type, length, length of the segment, VLAN tag and hash. */
static inline void
describe(struct rte_mbuf *m, const union emu_rx_desc *d)
{
	const vec_t from = *(const vec_t *)d, zero = {0};

	*(vec_t *)RTE_PTR_ADD(m,
		offsetof(struct rte_mbuf, packet_type)) = __builtin_shufflevector(from, zero, 6, 7,
		16, 16, 8, 9, 16, 16, 8, 9, 4, 5, 0, 1, 2, 3);
}

/*
 * Post what the buffer says, read from the mbuf: buffers of one pool may differ in place and size,
 * and may have changed since they were here last.
 */
static inline void
post(struct emu_rxq *q, struct rte_mbuf *const *mbufs, unsigned int n)
{
	uint16_t index = q->post;

	for (unsigned int i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];
		uint16_t len = likely(m->buf_len > RTE_PKTMBUF_HEADROOM)
			? m->buf_len - RTE_PKTMBUF_HEADROOM
			: 0;

		q->sw[index] = m;
		q->ring[index].read.iova = rte_mbuf_data_iova_default(m);
		q->ring[index].read.len = len;
		index = emu_advance(index, q->nb_desc);
	}
	q->post = index;
	q->posted += n;
	q->tail += n;
	__atomic_store_n(&q->doorbell, q->tail, __ATOMIC_RELEASE);
}

/*
 * Post n buffers of the queue's pool. A pool that has less leaves the ring short, and the next poll tries
 * again, whether or not a packet came; only a ring that is empty gets what there is, one by one.
 */
static inline bool
refill(struct emu_rxq *q, unsigned int n)
{
	struct rte_mbuf *bulk[REFILL_BULK];

	if (likely(rte_mempool_get_bulk(q->pool, (void **)bulk, n) == 0)) {
		for (unsigned int i = 0; i < n; i++)
			rte_prefetch0(bulk[i]);
		post(q, bulk, n);
		return true;
	}
	if (q->posted == 0)
		for (; n > 0 && rte_mempool_get(q->pool, (void **)bulk) == 0; n--)
			post(q, bulk, 1);
	if (n > 0)
		q->stats.errors++;
	return n == 0;
}

/** Fill the ring, as far as the pool allows. */
void
emu_rx_fill(struct emu_rxq *q)
{
	while (q->posted < q->target && refill(q, RTE_MIN(q->target - q->posted, REFILL_BULK)))
		;
}

uint16_t
emu_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	struct emu_rxq *q = queue;
	uint16_t i, next = q->next;
	uint64_t bytes = 0;

	/* Beyond what is posted lie old descriptors that still say "done". */
	nb = RTE_MIN(nb, q->posted);
	for (i = 0; i < nb; i++) {
		const union emu_rx_desc *d = &q->ring[next];
		struct rte_mbuf *m = q->sw[next];
		uint32_t status = read_status(d);

		if (!(status & EMU_DD))
			break;
		/* A line that is read to its end will be posted in again soon. */
		if (next % PER_LINE == PER_LINE - 1)
			rte_prefetch0_write(d);
		next = emu_advance(next, q->nb_desc);
		rte_prefetch0(q->sw[next]);
		*(uint64_t *)RTE_PTR_ADD(m, offsetof(struct rte_mbuf, rearm_data)) = q->rearm;
		m->ol_flags = status & EMU_OL_FLAGS;
		describe(m, d);
		/* As NIC drivers do: the headers arrive while the ring is filled again. */
		rte_prefetch0(rte_pktmbuf_mtod(m, void *));
		bytes += d->wb.len;
		pkts[i] = m;
	}
	q->next = next;
	q->posted -= i;
	q->stats.packets += i;
	q->stats.bytes += bytes;
	/* Whole bulks, as vectorised drivers do it: so bursts stay whole, too. */
	while (q->target - q->posted >= q->thresh && refill(q, RTE_MIN(q->thresh, REFILL_BULK)))
		;
	return i;
}

/* Descriptors that the device has read and the driver has not taken back. */
static inline uint32_t
tx_done(const struct emu_txq *q)
{
	return __atomic_load_n(&q->head, __ATOMIC_ACQUIRE) - (q->tail - q->used);
}

/* Buffers on their way back to their pool. */
struct bulk {
	struct rte_mbuf *mbufs[CLEAN_BULK];
	unsigned int n;
};

static inline void
bulk_flush(struct bulk *b)
{
	if (b->n > 0)
		rte_mempool_put_bulk(b->mbufs[0]->pool, (void **)b->mbufs, b->n);
	b->n = 0;
}

static inline void
bulk_add(struct bulk *b, struct rte_mbuf *m)
{
	if (unlikely(b->n == CLEAN_BULK || (b->n > 0 && b->mbufs[0]->pool != m->pool)))
		bulk_flush(b);
	b->mbufs[b->n++] = m;
}

/* One reference, one segment, a buffer of its own: as it has to be in its pool. Its second line need not be read. */
static inline bool
is_pristine(const struct rte_mbuf *m)
{
	const uint64_t word = *(
		const uint64_t *)RTE_PTR_ADD(m, offsetof(struct rte_mbuf, rearm_data));

	return (word & REFCNT_SEGS) == ONE_REF_ONE_SEG && RTE_MBUF_DIRECT(m);
}

/* rte_pktmbuf_free_bulk(), inlined, as vectorised drivers do it. */
static inline void
bulk_free(struct bulk *b, struct rte_mbuf *pkt)
{
	struct rte_mbuf *m, *next;

	if (likely(is_pristine(pkt))) {
		bulk_add(b, pkt);
		return;
	}
	for (m = pkt; m != NULL; m = next) {
		next = m->next;
		m = rte_pktmbuf_prefree_seg(m);
		if (likely(m != NULL))
			bulk_add(b, m);
	}
}

/* Free packets that the device has sent, at most `most`; returns how many. */
unsigned int
emu_tx_clean(struct emu_txq *q, unsigned int most)
{
	unsigned int freed = 0;
	struct bulk b;
	uint32_t done = tx_done(q), left;
	uint16_t clean = q->clean;

	b.n = 0;
	for (left = done; left > 0 && freed < most; left--) {
		if (likely(q->sw[clean] != NULL)) {
			bulk_free(&b, q->sw[clean]);
			freed++;
		}
		clean = emu_advance(clean, q->nb_desc);
	}
	bulk_flush(&b);
	q->clean = clean;
	q->used -= done - left;
	return freed;
}

static inline void
post_segment(struct emu_txq *q, const struct rte_mbuf *m, struct rte_mbuf *last_of)
{
	struct emu_tx_desc *d = &q->ring[q->post];

	d->iova = rte_pktmbuf_iova(m);
	d->len = m->data_len;
	d->control = last_of != NULL ? EMU_TX_LAST : 0;
	q->sw[q->post] = last_of;
	q->post = emu_advance(q->post, q->nb_desc);
}

static inline void
post_packet(struct emu_txq *q, struct rte_mbuf *pkt)
{
	const struct rte_mbuf *m = pkt;

	for (uint16_t segs = pkt->nb_segs; unlikely(segs > 1); segs--, m = m->next)
		post_segment(q, m, NULL);
	post_segment(q, m, pkt);
	q->used += pkt->nb_segs;
	q->tail += pkt->nb_segs;
}

/* The lines that the next n descriptors will be in: the device has read them a ring ago, and stores take them back. */
static inline void
claim_tx_ring(struct emu_txq *q, uint32_t n)
{
	uint16_t index = q->post;

	n = RTE_MIN(n, (uint32_t)q->nb_desc - q->used);
	for (uint32_t i = 0; i < n; i += PER_LINE) {
		*(volatile uint16_t *)&q->ring[index].len = 0;
		index = index + PER_LINE < q->nb_desc ? index + PER_LINE : 0;
	}
}

/* What the packet asks for, in its first descriptor. */
static inline void
request(struct emu_tx_desc *d, const struct rte_mbuf *m)
{
	uint64_t l4 = m->ol_flags & RTE_MBUF_F_TX_L4_MASK;
	uint16_t what = 0;

	if (m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM)
		what |= EMU_TX_IPV4_SUM;
	if (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG)
		what |= EMU_TX_CUT;
	else if (l4 == RTE_MBUF_F_TX_TCP_CKSUM)
		what |= EMU_TX_TCP_SUM;
	else if (l4 == RTE_MBUF_F_TX_UDP_CKSUM)
		what |= EMU_TX_UDP_SUM;
	if (what == 0)
		return;
	d->control |= what | m->l2_len << EMU_TX_L2_SHIFT;
	d->offload = m->tso_segsz | (uint32_t)m->l3_len << EMU_TX_L3_SHIFT |
		(uint32_t)m->l4_len / 4 << EMU_TX_L4_SHIFT;
}

static inline uint16_t
most_segs(const struct rte_mbuf *m, const bool offload)
{
	return offload && (m->ol_flags & RTE_MBUF_F_TX_TCP_SEG) ? EMU_TSO_SEGS : EMU_MAX_SEGS;
}

static __rte_always_inline uint16_t
tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb, const bool offload)
{
	struct emu_txq *q = queue;
	const uint32_t tail = q->tail;
	uint64_t sent = 0, bytes = 0;
	uint16_t i;

	if (q->target - q->used < q->thresh)
		emu_tx_clean(q, UINT_MAX);
	for (i = 0; i < nb; i++) {
		struct rte_mbuf *m = pkts[i];
		struct emu_tx_desc *first;

		if (unlikely(m->nb_segs > most_segs(m, offload))) {
			q->stats.errors++;
			rte_pktmbuf_free(m);
			continue;
		}
		if (unlikely(m->nb_segs > q->target - q->used)) {
			emu_tx_clean(q, UINT_MAX);
			if (m->nb_segs > q->target - q->used)
				break;
		}
		first = &q->ring[q->post];
		post_packet(q, m);
		if (offload)
			request(first, m);
		bytes += m->pkt_len;
		sent++;
	}
	__atomic_store_n(&q->doorbell, q->tail, __ATOMIC_RELEASE);
	/* The next burst is like this one. */
	claim_tx_ring(q, q->tail - tail);
	q->stats.packets += sent;
	q->stats.bytes += bytes;
	return i;
}

/** For a port without Tx offloads: nobody looks whether something is asked for. */
uint16_t
emu_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	return tx_burst(queue, pkts, nb, false);
}

uint16_t
emu_tx_burst_offload(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	return tx_burst(queue, pkts, nb, true);
}

/** Pseudo headers' sums. */
uint16_t
emu_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb)
{
	uint16_t i;

	RTE_SET_USED(queue);
	for (i = 0; i < nb; i++) {
		int ret = pkts[i]->nb_segs > most_segs(pkts[i], true)
			? -EINVAL
			: rte_net_intel_cksum_prepare(pkts[i]);

		if (ret != 0) {
			rte_errno = -ret;
			break;
		}
	}
	return i;
}

int
emu_tx_done_cleanup(void *queue, uint32_t most)
{
	return emu_tx_clean(queue, most == 0 ? UINT_MAX : most);
}

iovtee_queue_count
emu_rx_queue_count(void *queue)
{
	struct emu_rxq *q = queue;
	uint32_t taken = q->tail - q->posted;

	return __atomic_load_n(&q->head, __ATOMIC_RELAXED) - taken;
}

int
emu_rx_desc_status(void *queue, uint16_t offset)
{
	struct emu_rxq *q = queue;
	uint32_t status;

	if (offset >= q->nb_desc)
		return -EINVAL;
	if (offset >= q->posted)
		return RTE_ETH_RX_DESC_UNAVAIL;
	status = read_status(&q->ring[(q->next + offset) % q->nb_desc]);
	return status & EMU_DD ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

int
emu_tx_desc_status(void *queue, uint16_t offset)
{
	struct emu_txq *q = queue;

	if (offset >= q->nb_desc)
		return -EINVAL;
	return offset < q->nb_desc - q->used + tx_done(q) ? RTE_ETH_TX_DESC_DONE
							  : RTE_ETH_TX_DESC_FULL;
}
