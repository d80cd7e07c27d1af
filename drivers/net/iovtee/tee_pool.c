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
	tee_pool_put(tee, (struct rte_mbuf *const *)objs, n);
}

/* The NIC writes at buf_addr + headroom: that has to be where the packet starts for the guest. */
static inline void
bind_mbuf(struct tee_pool *tee, struct rte_mbuf *m, const struct iovt_buf *buf)
{
	struct iovt_rxq *rxq = tee->rxq;
	struct tee_rec *rec = tee_rec(tee, m);
	uint32_t shift = RTE_PKTMBUF_HEADROOM - rxq->hdr_len;
	uint32_t len = buf->len + shift;

	m->buf_addr = buf->va - shift;
	rte_mbuf_iova_set(m, buf->iova - shift);
	m->buf_len = RTE_MIN(len, (uint32_t)UINT16_MAX);
	m->ol_flags = RTE_MBUF_F_EXTERNAL;
	rec->rxq = rxq;
	rec->id = buf->id;
}

/* At most BATCH objects: guest buffers first, then host buffers if the queue's policy allows. */
static int
refill(struct tee_pool *tee, void **objs, unsigned int n)
{
	struct iovt_buf bufs[BATCH];
	unsigned int min = tee->starve_nic ? n : 0;
	unsigned int k = 0;

	if (stack_pop(tee, objs, n) < 0)
		return -ENOBUFS;
	if (likely(tee->rxq != NULL))
		k = iovt_harvest(tee->rxq, bufs, n, min);
	for (unsigned int i = 0; i < k; i++)
		bind_mbuf(tee, objs[i], &bufs[i]);
	if (likely(k == n))
		return 0;
	tee->starved++;
	/* A chain that only a copy can use blocks the ring until a copy needs it: not starvation. */
	if (tee->starve_nic && (tee->rxq == NULL || !tee->rxq->head_unbindable)) {
		stack_push(tee, objs, n);
		return -ENOBUFS;
	}
	for (unsigned int i = k; i < n; i++)
		tee_use_host_buf(tee, objs[i]);
	return 0;
}

/* Freed by the switch, undelivered: the guest buffer is lent again, the mbuf is just an mbuf. */
static int
tee_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct tee_pool *tee = mp->pool_data;

	for (unsigned int i = 0; tee->is_tee && i < n; i++) {
		struct tee_rec *rec = tee_rec(tee, objs[i]);
		struct iovt_rxq *rxq = rec->rxq;

		if (rxq == NULL)
			continue;
		rec->rxq = NULL;
		iovt_rxq_reclaim(rxq, &rec->id, 1);
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
	const struct tee_pool *tee = mp->pool_data;

	return tee->len;
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
	rte_free(mp->pool_data);
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
