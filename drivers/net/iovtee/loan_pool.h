/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loan pool: the mbufs of packets that stay in a guest's memory while they are sent. One per transmit
 * virtqueue that has loans, made when it comes up; mempool ops "iovtee_loan".
 *
 * Each descriptor id has its own mbufs, so that nothing is searched and nothing noted on the way out: one
 * whose buffer is the guest's packet; or, to a switch that shall not read headers which the guest can still
 * change, a first one that holds a copy of them, and a second one for the rest. The switch, or the NIC driver
 * behind it, frees them as any other mbuf, on any lcore; the guest gets its packet back by that.
 *
 * Layout of an object:  mbuf | the application's private area | room for headers
 *
 * An mbuf that lies in guest memory is one with a pinned external buffer, as in the tee pool: clones are counted.
 */
#ifndef IOVTEE_LOAN_POOL_H
#define IOVTEE_LOAN_POOL_H

#include <stdbool.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "txq.h"

/* Bytes of a packet that are copied when its headers are. */
#define LOAN_HEADERS 128u

struct loan_pool {
	char *first;      /* mbuf; the others follow at the same distance, */
	char *end;        /* up to here */
	uint32_t stride;  /* bytes from one to the next, a multiple of a cache line */
	uint32_t inverse; /* of the stride in cache lines, times 2^32, rounded up */
	uint16_t ids;
	bool headers; /* two mbufs per id: headers and rest */
	struct iovt_txq *txq;
	uint8_t *headers_out; /* [ids]: the first mbuf of this id is not back yet */
	uint64_t rearm;       /* data_off, refcnt, nb_segs, port of an mbuf in guest memory */
	struct rte_mempool *mp;
	struct rte_mempool *like;     /* the application's own */
	const struct rte_device *dma; /* which reaches the guest's memory */
	struct loan_pool *next;       /* pools that wait for their last mbuf */
	bool gone;                    /* the last packet came back */
	bool idle;                    /* all headers, too */
};

static inline struct rte_mbuf *
loan_mbuf(const struct loan_pool *lp, uint32_t index)
{
	return (struct rte_mbuf *)(lp->first + (size_t)index * lp->stride);
}

static inline bool
loan_headers_out(const struct loan_pool *lp, uint16_t id)
{
	return __atomic_load_n(&lp->headers_out[id], __ATOMIC_ACQUIRE);
}

static inline struct loan_pool *
loan_pool_of(const struct rte_mbuf *m)
{
	return m->pool->pool_data;
}

/* Of the mempool ops. */
extern int32_t loan_ops_index;

/** Is this mbuf, and not only one that it is a clone of, a packet on loan? */
static inline bool
loan_is(const struct rte_mbuf *m)
{
	return (m->ol_flags & RTE_MBUF_F_EXTERNAL) && m->pool->ops_index == loan_ops_index;
}

/** To be freed like an mbuf with a buffer of its own, if nobody holds a clone; and back to what it is. */
static inline void
loan_hide(struct rte_mbuf *m)
{
	if (likely(rte_mbuf_refcnt_read(m) == 1 && rte_mbuf_ext_refcnt_read(m->shinfo) == 1))
		m->ol_flags &= ~RTE_MBUF_F_EXTERNAL;
}

/** Whatever its flags say, does it lie in a guest's memory? */
static inline bool
loan_in_guest(const struct rte_mbuf *m)
{
	const struct loan_pool *lp = loan_pool_of(m);

	return m->pool->ops_index == loan_ops_index &&
		(!lp->headers || (char *)m->buf_addr < lp->first || (char *)m->buf_addr >= lp->end);
}

static inline void
loan_unhide(struct rte_mbuf *m)
{
	if (loan_in_guest(m))
		m->ol_flags |= RTE_MBUF_F_EXTERNAL;
}

/**
 * Make the mbufs for a virtqueue of so many ids. Control thread, with the control lock held, as for all here.
 *
 * @param like the application's pool: data room aside, mbufs look like its own.
 * @param port what mbuf->port will say.
 * @param headers copy headers.
 * @param dma the device that reaches the guest's memory.
 * @return the pool, or NULL (logged).
 */
struct loan_pool *loan_pool_create(uint16_t ids, struct rte_mempool *like, uint16_t port,
	uint16_t data_off, bool headers, const struct rte_device *dma);

/** No more loans; freed once the queue has told of its last packet, and all headers are back. */
void loan_pool_retire(struct loan_pool *lp);

/** The queue is gone, and all of its packets are back: struct iovt_txq_conf's release. Any lcore. */
void loan_pool_gone(void *pool);

#endif
