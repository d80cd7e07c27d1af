/* SPDX-License-Identifier: BSD-3-Clause */
/* Mempool ops "iovtee": refill from the guest, free to the guest. The control side is in tee_create.c */
#include <rte_errno.h>
#include <rte_malloc.h>

#include "harvest.h"
#include "tee_pool.h"

/* Guest buffers bound at a time: bounds the arrays on the stack. */
#define BATCH 64

__thread bool tee_refilling;

static int
stack_pop(struct tee_pool *tee, void **objs, unsigned int n)
{
	iovt_lock_take(&tee->lock);
	if (unlikely(tee->len < n)) {
		iovt_lock_release(&tee->lock);
		return -ENOBUFS;
	}
	tee->len -= n;
	memcpy(objs, &tee->objs[tee->len], n * sizeof(*objs));
	iovt_lock_release(&tee->lock);
	return 0;
}

static void
stack_push(struct tee_pool *tee, void *const *objs, unsigned int n)
{
	iovt_lock_take(&tee->lock);
	memcpy(&tee->objs[tee->len], objs, n * sizeof(*objs));
	tee->len += n;
	iovt_lock_release(&tee->lock);
}

void
tee_pool_put(struct tee_pool *tee, void *const *mbufs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		tee_rec(tee, mbufs[i])->rxq = NULL;
	stack_push(tee, mbufs, n);
}

/* For a refill: the mbufs that were in use last are the ones in the cache. */
static inline int
pop(struct tee_pool *tee, void **objs, unsigned int n)
{
	unsigned int k = rte_ring_sc_dequeue_burst(tee->delivered, objs, n, NULL);

	if (likely(k == n))
		return 0;
	if (stack_pop(tee, objs + k, n - k) == 0)
		return 0;
	tee_pool_put(tee, objs, k);
	return -ENOBUFS;
}

/* The mbufs of one refill, to be bound to guest buffers. */
struct refill {
	const struct tee_pool *tee;
	struct rte_mbuf *const *mbufs;
	struct iovt_rxq *rxq;
	uint32_t shift;
	uint16_t buf_len;
};

/*
 * The NIC writes at buf_addr + headroom: that has to be where the packet starts for the guest. The flag
 * RTE_MBUF_F_EXTERNAL is set when the packet is received, since drivers overwrite the flags. The mbuf is as long
 * as those of the application's pool, even if the guest's buffer is longer: some drivers tell their NIC the length
 * of each mbuf, and a longer frame would not fit into a host buffer, if it has to be copied there (debind).
 */
static __rte_always_inline void
bind_mbuf(void *ctx, size_t k, const struct iovt_buf *buf)
{
	const struct refill *r = ctx;
	struct rte_mbuf *m = r->mbufs[k];
	struct tee_rec *rec = tee_rec(r->tee, m);

	m->buf_addr = buf->va - r->shift;
	rte_mbuf_iova_set(m, buf->iova - r->shift);
	m->buf_len = r->buf_len;
	rec->rxq = r->rxq;
	rec->id = buf->id;
}

static __rte_always_inline unsigned int
bind_mbufs(struct tee_pool *tee, const enum iovt_ring_format f, void **objs, unsigned int n,
	unsigned int min)
{
	struct iovt_rxq *rxq = tee->rxq;
	const uint32_t shift = RTE_PKTMBUF_HEADROOM - rxq->hdr_len;
	struct refill r = {
		.tee = tee,
		.mbufs = (struct rte_mbuf *const *)objs,
		.rxq = rxq,
		.shift = shift,
		.buf_len = rxq->bind_min + shift,
	};

	return iovt_harvest(rxq, f, n, min, bind_mbuf, &r);
}

static unsigned int
bind_split(struct tee_pool *tee, void **objs, unsigned int n, unsigned int min)
{
	return bind_mbufs(tee, IOVT_SPLIT, objs, n, min);
}

static unsigned int
bind_packed(struct tee_pool *tee, void **objs, unsigned int n, unsigned int min)
{
	return bind_mbufs(tee, IOVT_PACKED, objs, n, min);
}

void
tee_pool_lend(struct tee_pool *tee, struct iovt_rxq *rxq)
{
	tee->rxq = rxq;
	if (rxq != NULL)
		tee->bind = rxq->vr.format == IOVT_SPLIT ? bind_split : bind_packed;
}

/* At most BATCH objects: guest buffers first, then host buffers if the queue's policy allows. */
static int
refill(struct tee_pool *tee, void **objs, unsigned int n)
{
	unsigned int k = 0;

	if (unlikely(pop(tee, objs, n) < 0))
		return -ENOBUFS;
	if (likely(tee->rxq != NULL))
		k = tee->bind(tee, objs, n, tee->starve_nic ? n : 0);
	if (likely(k == n))
		return 0;
	tee->starved++;
	for (unsigned int i = k; i < n; i++) {
		tee_rec(tee, objs[i])->rxq = NULL;
		tee_use_host_buf(tee, objs[i]);
	}
	/* A chain that only a copy can use blocks the ring until a copy needs it: not starvation. */
	if (tee->starve_nic && (tee->rxq == NULL || !tee->rxq->head_unbindable)) {
		stack_push(tee, objs, n);
		return -ENOBUFS;
	}
	return 0;
}

void
tee_unbind(struct tee_rec *rec)
{
	struct iovt_rxq *rxq = rec->rxq;
	uint16_t id = rec->id;

	rec->rxq = NULL;
	iovt_rxq_reclaim(rxq, &id, 1);
}

/* Freed by the switch, undelivered: the guest buffer is lent again, the mbuf is just an mbuf. */
static int
tee_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct tee_pool *tee = mp->pool_data;

	for (unsigned int i = 0; tee->is_tee && i < n; i++) {
		struct tee_rec *rec = tee_rec(tee, objs[i]);

		if (rec->rxq != NULL)
			tee_unbind(rec);
	}
	stack_push(tee, objs, n);
	return 0;
}

static int
tee_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct tee_pool *tee = mp->pool_data;
	unsigned int done = 0;
	int ret;

	if (!tee->is_tee)
		return stack_pop(tee, objs, n);
	if (unlikely(!tee_refilling)) {
		ret = stack_pop(tee, objs, n);
		for (unsigned int i = 0; ret == 0 && i < n; i++)
			tee_use_host_buf(tee, objs[i]);
		return ret;
	}
	do {
		unsigned int batch = RTE_MIN(n - done, (unsigned int)BATCH);

		ret = refill(tee, objs + done, batch);
		if (unlikely(ret < 0))
			goto undo;
		done += batch;
	} while (done < n);
	return 0;

undo:
	tee_enqueue(mp, objs, done);
	return ret;
}

static unsigned int
tee_get_count(const struct rte_mempool *mp)
{
	struct tee_pool *tee = mp->pool_data;
	unsigned int n;

	iovt_lock_take(&tee->lock);
	n = tee->len;
	iovt_lock_release(&tee->lock);
	return n + (tee->delivered != NULL ? rte_ring_count(tee->delivered) : 0);
}

static int
tee_alloc(struct rte_mempool *mp)
{
	size_t bytes = sizeof(struct tee_pool) + mp->size * sizeof(void *);
	struct tee_pool *tee = rte_zmalloc_socket("iovtee", bytes, RTE_CACHE_LINE_SIZE,
		mp->socket_id);

	if (tee == NULL)
		return -ENOMEM;
	mp->pool_data = tee;
	return 0;
}

static void
tee_free(struct rte_mempool *mp)
{
	struct tee_pool *tee = mp->pool_data;

	rte_ring_free(tee->delivered);
	rte_free(tee);
}

static const struct rte_mempool_ops tee_ops = {
	.name = "iovtee",
	.alloc = tee_alloc,
	.free = tee_free,
	.enqueue = tee_enqueue,
	.dequeue = tee_dequeue,
	.get_count = tee_get_count,
};

RTE_MEMPOOL_REGISTER_OPS(tee_ops);
