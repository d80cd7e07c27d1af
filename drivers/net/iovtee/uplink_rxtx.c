/* SPDX-License-Identifier: BSD-3-Clause */
/* The uplink's hot path. */
#include <rte_ether.h>
#include <rte_prefetch.h>

#include "uplink.h"
#include "mapping.h"

static __rte_always_inline uint16_t
poll_nic(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got;

	tee_refilling = true;
	got = rte_eth_rx_burst(q->phys_port, q->queue, pkts, n);
	tee_refilling = false;
	return got;
}

uint16_t
uplink_rx_plain(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t got = poll_nic(q, pkts, n);

	for (uint16_t i = 0; i < got; i++)
		pkts[i]->port = q->port;
	q->host_packets += got;
	return got;
}

/*
 * A packet in guest memory that is not for that guest alone: copied out at once, so that it has the
 * full headroom and the guest cannot rewrite it. Longer than a host buffer it cannot be: the NIC was
 * given the size of host buffers.
 */
static __rte_noinline void
debind(struct uplink_rxq *q, struct rte_mbuf *m)
{
	char *host = tee_host_buf(q->tee, m) + RTE_PKTMBUF_HEADROOM;
	uint64_t flags = m->ol_flags;

	memcpy(host, rte_pktmbuf_mtod(m, char *), m->data_len);
	tee_use_host_buf(q->tee, m);
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->ol_flags = flags & ~RTE_MBUF_F_EXTERNAL;
	tee_unbind(tee_rec(q->tee, m));
	q->debound_packets++;
	if (q->steer.exclusive && !q->missteered) {
		q->missteered = true;
		mapping_report_missteered(q);
	}
}

/*
 * headroom=strict: only the virtio-net header's bytes before the packet are ours, so the buffer is made
 * to begin there. The NIC driver was shown one that begins RTE_PKTMBUF_HEADROOM before the packet.
 */
static inline void
trim_headroom(struct rte_mbuf *m, uint16_t hdr_len)
{
	uint16_t cut = RTE_PKTMBUF_HEADROOM - hdr_len;

	m->buf_addr = (char *)m->buf_addr + cut;
	rte_mbuf_iova_set(m, rte_mbuf_iova_get(m) + cut);
	m->buf_len -= cut;
}

/* Data offset and port, which lie in one word with the reference count and the number of segments. */
static inline void
place(struct rte_mbuf *m, uint16_t data_off, uint16_t port)
{
	uint64_t *word = (uint64_t *)RTE_PTR_ADD(m, offsetof(struct rte_mbuf, rearm_data));

	*word = (*word & UINT64_C(0x0000ffffffff0000)) | data_off | (uint64_t)port << 48;
}

/* Compare a packet's destination with an address in the upper 48 bits of a word. */
static inline bool
same_address(const char *data, uint64_t mac_word)
{
	return *(const iovt_guest_u64 *)(const void *)data << 16 == mac_word;
}

static __rte_always_inline uint16_t
rx_mapped(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n, const bool strict,
	const bool any_unicast)
{
	const uint16_t data_off = strict ? q->hdr_len : RTE_PKTMBUF_HEADROOM, port = q->port;
	const struct tee_pool *tee = q->tee;
	uint16_t got = poll_nic(q, pkts, n);
	uint16_t bound = 0;

	for (uint16_t i = 0; i < got; i++) {
		struct rte_mbuf *m = pkts[i];
		const char *data;

		if (unlikely(!tee_is_bound(tee, m))) {
			m->port = port;
			continue;
		}
		bound++;
		m->ol_flags |= RTE_MBUF_F_EXTERNAL;
		place(m, data_off, port);
		if (strict)
			trim_headroom(m, data_off);
		data = rte_pktmbuf_mtod(m, const char *);
		rte_prefetch0(data - q->hdr_len); /* for its delivery */
		if (unlikely(any_unicast ? data[0] & RTE_ETHER_GROUP_ADDR
					 : !same_address(data, q->steer.mac_word)))
			debind(q, m);
	}
	q->bound_packets += bound;
	q->host_packets += got - bound;
	return got;
}

static uint16_t
rx_strict_mac(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_mapped(q, pkts, n, true, false);
}

static uint16_t
rx_strict_any(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_mapped(q, pkts, n, true, true);
}

static uint16_t
rx_guest_mac(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_mapped(q, pkts, n, false, false);
}

static uint16_t
rx_guest_any(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rx_mapped(q, pkts, n, false, true);
}

uint16_t (*uplink_rx_mapped_fn(bool strict, bool any_unicast))(struct uplink_rxq *q,
	struct rte_mbuf **pkts, uint16_t n)
{
	if (strict)
		return any_unicast ? rx_strict_any : rx_strict_mac;
	return any_unicast ? rx_guest_any : rx_guest_mac;
}

/* Buffers may wait in the rings of what is sent, whose drivers let go of them when they need room. */
static __rte_noinline void
look_for_buffers(struct uplink_rxq *q)
{
	if (q->tee == NULL || q->tee->starved == q->starved_seen)
		return;
	q->starved_seen = q->tee->starved;
	uplink_reap(q->uplink);
}

uint16_t
uplink_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct uplink_rxq *q = queue;
	uint16_t got;

	/* Not our turn: the control path is rebuilding or flushing the queue. */
	if (unlikely(!gate_try_enter(&q->gate)))
		return 0;
	got = q->burst(q, pkts, n);
	if (got == 0)
		look_for_buffers(q);
	gate_leave(&q->gate);
	return got;
}

#define NOT_PLAIN (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT)

/* A guest's memory is known to the NIC of its own uplink; for others, its packets are copied after all. */
static struct rte_mbuf *
copy_for_stranger(struct uplink_txq *q, struct rte_mbuf *m, const struct rte_mbuf *loan)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, loan_pool_of(loan)->like, 0, UINT32_MAX);

	rte_pktmbuf_free(m);
	q->copy_drops += copy == NULL;
	return copy;
}

/*
 * Isolation: a packet that the NIC wrote into the memory of a guest which is not trusted may leave only
 * through that guest's own port, since the guest could have rewritten it after the switch classified it.
 *
 * Returns the packet, or NULL: dropped. *pool: of loans that need no such look, and are hidden in the same way.
 */
static __rte_noinline struct rte_mbuf *
screen_one(struct uplink_txq *q, struct rte_mbuf *m, const struct rte_mempool **pool)
{
	if (!tee_may_leave(m)) {
		rte_pktmbuf_free(m);
		q->isolation_drops++;
		return NULL;
	}
	for (struct rte_mbuf *seg = m; seg != NULL; seg = seg->next) {
		if (!loan_is(seg)) {
			/* A guest's receive buffer: its queue is short of it until the NIC lets go. */
			if (!q->loans && tee_root(seg) != NULL)
				__atomic_store_n(&q->loans, true, __ATOMIC_RELEASE);
			continue;
		}
		if (loan_pool_of(seg)->dma != q->dma)
			return copy_for_stranger(q, m, seg);
		/* What was sent without the lock is visible to whoever takes it because of this. */
		__atomic_store_n(&q->loans, true, __ATOMIC_RELEASE);
		*pool = seg->pool;
		loan_hide(seg);
	}
	return m;
}

/*
 * Packets that are not in one plain buffer, and those sent with them. Returns how many may leave.
 *
 * A packet on loan that nobody else holds is made one in a plain buffer for the driver, which then frees it with
 * less ado.
 */
static uint16_t
screen(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	const struct rte_mempool *pool = NULL;
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i], *last = m;
		const bool plain = !(m->ol_flags & NOT_PLAIN);

		if (plain && m->nb_segs == 2)
			last = m->next;
		if (last->pool == pool && last->next == NULL)
			loan_hide(last);
		else if (!plain || m->nb_segs > 1)
			m = screen_one(q, m, &pool);
		if (likely(m != NULL))
			pkts[kept++] = m;
	}
	return kept;
}

/*
 * The NIC lets go of what it has sent at once, since guests wait for it. What it does not take stays the
 * caller's, and may be cloned yet.
 */
static uint16_t
send_loans(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent;

	iovt_lock_take(&q->lock);
	rte_eth_tx_done_cleanup(q->phys_port, q->queue, 0);
	sent = rte_eth_tx_burst(q->phys_port, q->queue, pkts, n);
	iovt_lock_release(&q->lock);
	for (uint16_t i = sent; unlikely(i < n); i++)
		for (struct rte_mbuf *m = pkts[i]; m != NULL; m = m->next)
			loan_unhide(m);
	return sent;
}

/*
 * Drivers let go of what they have sent when their ring is nearly full. Asked before, buffers are used again while they
 * are in the cache, however long the ring is.
 */
#define CLEAN_EVERY 128

static inline uint16_t
send_plain(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	q->uncleaned += n;
	if (q->uncleaned >= CLEAN_EVERY) {
		q->uncleaned = 0;
		rte_eth_tx_done_cleanup(q->phys_port, q->queue, 0);
	}
	return rte_eth_tx_burst(q->phys_port, q->queue, pkts, n);
}

uint16_t
uplink_send(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n)
{
	return q->loans ? send_loans(q, pkts, n) : send_plain(q, pkts, n);
}

/* Some of them ask for what is to be looked at here. *kept: how many are left of n. Returns how many of these were sent. */
static __rte_noinline uint16_t
finish_and_send(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n, uint16_t *kept)
{
	*kept = uplink_finish(q, pkts, n);
	return uplink_send_cut(q, pkts, *kept);
}

uint16_t
uplink_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	struct uplink_txq *q = queue;
	uint16_t kept = n, sent, segs = 0;
	uint64_t flags = 0;

	/* Not our turn: the control path restarts the port. */
	if (unlikely(!gate_try_enter(&q->gate)))
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		flags |= pkts[i]->ol_flags;
		segs |= pkts[i]->nb_segs;
	}
	if ((flags & NOT_PLAIN) || segs > 1)
		kept = screen(q, pkts, n);
	if (unlikely(flags & q->finish))
		sent = finish_and_send(q, pkts, kept, &kept);
	else
		sent = uplink_send(q, pkts, kept);
	gate_leave(&q->gate);
	if (likely(sent == kept))
		return n;
	/* The caller frees what was not sent from the end of its array: move it there. */
	memmove(&pkts[n - (kept - sent)], &pkts[sent], (kept - sent) * sizeof(pkts[0]));
	return n - (kept - sent);
}
