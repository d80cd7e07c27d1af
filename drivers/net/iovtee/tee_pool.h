/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tee pool: a packet pool that hands a NIC driver mbufs whose buffer is a guest buffer when one is
 * available, else the mbuf's own host buffer. One per mapped Rx queue; mempool ops "iovtee".
 *
 * Layout of an object:  mbuf | the application's private area | struct tee_rec | host buffer
 * The first three quarters are what the application's own pool would have given it.
 *
 * A bound mbuf is an mbuf with an external buffer, as for a DPDK pool with pinned external buffers, so
 * that clones and multi-segment packets made by the switch are counted; the buffer comes back when the
 * last of them is freed.
 */
#ifndef IOVTEE_TEE_POOL_H
#define IOVTEE_TEE_POOL_H

#include <stdbool.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "rxq.h"

/* What an mbuf is bound to. In the object, behind the application's private area. */
struct tee_rec {
	struct iovt_rxq *rxq; /* NULL: not bound */
	uint16_t id;          /* the guest buffer */
	struct rte_mbuf_ext_shared_info shinfo;
};

struct tee_pool;

/* Bind up to n mbufs, or none if fewer than min, to buffers of the guest's queue. Returns how many. */
typedef unsigned int (
	*tee_bind_fn)(struct tee_pool *tee, void **objs, unsigned int n, unsigned int min);

/* A stack of objects; all below len only in pools of mapped queues (tee_pool_create). */
struct tee_pool {
	struct iovt_lock lock;
	uint32_t len;
	/*
	 * The short way back for mbufs whose guest buffer was delivered, past the lock: put by a sender that
	 * holds the lock of the guest's queue, got by whoever refills the NIC's queue, one at a time each.
	 * What their tee_rec says is void: it is written anew by the refill, or cleared when they leave this
	 * ring for the stack.
	 */
	struct rte_ring *delivered;
	/* Pools of mapped queues; changed only while the queue's poller is gated out. */
	bool is_tee;
	bool starve_nic;      /* refill nothing rather than host buffers */
	bool trust;           /* bound packets may leave through any port */
	uint32_t rec_offset;  /* of the tee_rec in an mbuf object */
	uint32_t host_offset; /* of the host buffer */
	uint32_t host_len;
	struct iovt_rxq *rxq; /* the guest's queue, NULL while there is none: see tee_pool_lend */
	tee_bind_fn bind;     /* for its ring format */
	uint64_t starved;     /* refills that the guest could not fill */
	void *objs[];
};

/*
 * True while this thread refills a NIC queue, that is inside the wrapped port's rx_burst or queue
 * start. Only then may an allocation take guest buffers: an application that allocates from
 * m->pool for its own use must get host memory.
 */
extern __thread bool tee_refilling __attribute__((tls_model("initial-exec")));

static inline struct tee_rec *
tee_rec(const struct tee_pool *tee, const struct rte_mbuf *m)
{
	return (struct tee_rec *)((uintptr_t)m + tee->rec_offset);
}

static inline char *
tee_host_buf(const struct tee_pool *tee, const struct rte_mbuf *m)
{
	return (char *)((uintptr_t)m + tee->host_offset);
}

static inline bool
tee_is_bound(const struct tee_pool *tee, const struct rte_mbuf *m)
{
	return m->buf_addr != tee_host_buf(tee, m);
}

/* Point an mbuf at its own host buffer. */
static inline void
tee_use_host_buf(const struct tee_pool *tee, struct rte_mbuf *m)
{
	m->buf_addr = tee_host_buf(tee, m);
	rte_mbuf_iova_set(m, rte_mempool_virt2iova(m) + tee->host_offset);
	m->buf_len = tee->host_len;
	m->ol_flags &= ~RTE_MBUF_F_EXTERNAL;
}

/** Refill from this guest queue from now on, NULL: from none. Control thread, the queue's poller gated out. */
void tee_pool_lend(struct tee_pool *tee, struct iovt_rxq *rxq);

/** Give free mbufs back; their tee_rec is cleared. Any lcore. */
void tee_pool_put(struct tee_pool *tee, void *const *mbufs, unsigned int n);

/**
 * Give the mbufs of delivered packets back: the hot path's way around rte_pktmbuf_free. With the lock of the
 * guest's queue held.
 */
static inline void
tee_pool_put_delivered(struct tee_pool *tee, struct rte_mbuf *const *mbufs, unsigned int n)
{
	void *const *objs = (void *const *)mbufs;
	unsigned int put = rte_ring_sp_enqueue_burst(tee->delivered, objs, n, NULL);

	if (unlikely(put < n))
		tee_pool_put(tee, objs + put, n - put);
}

/** Give the guest buffer that an mbuf is bound to back, undelivered. Any lcore. */
void tee_unbind(struct tee_rec *rec);

/**
 * The bound mbuf that holds this segment's data: the segment itself, the one that it is a clone of, or
 * NULL if the data lies in host memory. Any lcore.
 */
const struct rte_mbuf *tee_root(const struct rte_mbuf *seg);

/**
 * May this packet leave through a port other than its guest's own? No if any of its segments lies in
 * the memory of a guest that is not trusted. Any lcore.
 */
bool tee_may_leave(const struct rte_mbuf *m);

/**
 * Make the tee pool of one mapped queue. Control thread.
 *
 * The private area is that of the application's pool like; so is its content, since some switches set it once
 * when they make a pool.
 *
 * @param n objects.
 * @param data_room of each, headroom included.
 * @return the pool, or NULL with rte_errno.
 */
struct rte_mempool *tee_pool_create(const char *name, unsigned int n, struct rte_mempool *like,
	uint16_t data_room);

#endif
