/* SPDX-License-Identifier: BSD-3-Clause */
/* Mempool ops "iovtee_loan", and making such pools. */
#include <string.h>

#include <rte_alarm.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_dyn.h>

#include "control.h"
#include "loan_pool.h"
#include "log.h"
#include "pinned.h"
#include "uplink.h"

/* Ids told to the engine at a time: bounds the array on the stack. */
#define BATCH 64

#define SWEEP_US 10000

int32_t loan_ops_index;

static struct loan_pool *retired;
static bool sweeping;       /* a sweep is on its way */
static unsigned int serial; /* for pool names */

static inline uint32_t
index_of(const struct loan_pool *lp, const void *mbuf)
{
	uint64_t lines = (uint64_t)((const char *)mbuf - lp->first) / RTE_CACHE_LINE_SIZE;

	return lines * lp->inverse >> 32;
}

/* The NIC has read them, and will be asked to again: stores take the lines back meanwhile. */
static inline void
take_headers(struct loan_pool *lp, const void *mbuf, uint32_t id)
{
	char *room = (char *)((const struct rte_mbuf *)mbuf)->buf_addr + RTE_PKTMBUF_HEADROOM;

	for (unsigned int off = 0; off < LOAN_HEADERS; off += RTE_CACHE_LINE_SIZE)
		*(volatile char *)(room + off) = 0;
	__atomic_store_n(&lp->headers_out[id], 0, __ATOMIC_RELEASE);
}

/* What of these is a guest's packet; the other ones hold headers, and are just free. */
static inline unsigned int
packets_of(struct loan_pool *lp, void *const *objs, unsigned int n, uint16_t ids[BATCH])
{
	unsigned int k = 0;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t index = index_of(lp, objs[i]);

		if (!lp->headers)
			ids[k++] = index;
		else if (index & 1)
			ids[k++] = index >> 1;
		else
			take_headers(lp, objs[i], index >> 1);
	}
	return k;
}

/* The last ones may be the end of the queue, and of the pool soon after. */
static int
loan_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct loan_pool *lp = mp->pool_data;
	uint16_t ids[BATCH];

	if (unlikely(lp->txq == NULL)) /* the pool is being made */
		return 0;
	for (unsigned int done = 0; done < n; done += BATCH) {
		unsigned int k = packets_of(lp, objs + done, RTE_MIN(n - done, (unsigned int)BATCH),
			ids);

		if (likely(k > 0))
			iovt_txq_return(lp->txq, ids, k);
	}
	return 0;
}

/* They all belong to packets: there is none to allocate. */
static int
loan_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	return -ENOBUFS;
}

static unsigned int
loan_get_count(const struct rte_mempool *mp)
{
	return 0;
}

static int
loan_alloc(struct rte_mempool *mp)
{
	mp->pool_data = mp->pool_config;
	return 0;
}

static void
loan_free(struct rte_mempool *mp)
{
}

static const struct rte_mempool_ops loan_ops = {
	.name = "iovtee_loan",
	.alloc = loan_alloc,
	.free = loan_free,
	.enqueue = loan_enqueue,
	.dequeue = loan_dequeue,
	.get_count = loan_get_count,
};

RTE_INIT(register_ops)
{
	loan_ops_index = rte_mempool_register_ops(&loan_ops);
}

/* ---- control ---- */

/* How one object looks. */
struct pattern {
	struct loan_pool *lp;
	struct pinned_look look;
	uint16_t room; /* for headers */
	uint16_t shinfo_offset;
	bool uneven; /* the objects are not in a row */
};

static void
free_loan(void *addr, void *mbuf)
{
	pinned_free(mbuf);
}

static void
init_obj(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	struct pattern *p = arg;
	struct rte_mbuf *m = obj;
	struct rte_mbuf_ext_shared_info *shinfo = (void *)((char *)m + p->shinfo_offset);

	if (idx == 0)
		p->lp->first = obj;
	if (m != loan_mbuf(p->lp, idx) || index_of(p->lp, m) != idx)
		p->uneven = true;
	pinned_init(mp, m, &p->look, shinfo, free_loan);
	m->buf_addr = (char *)m + sizeof(*m) + p->look.priv;
	rte_mbuf_iova_set(m, rte_mem_virt2iova(m->buf_addr));
	m->buf_len = p->room;
	/* In physical memory, the room may lie in two pages. */
	if (p->room > 0 &&
		rte_mem_virt2iova((char *)m->buf_addr + p->room - 1) !=
			rte_mbuf_iova_get(m) + p->room - 1)
		p->uneven = true;
}

static void
free_memory(struct rte_mempool_memhdr *memhdr, void *memory)
{
	rte_free(memory);
}

/* All objects in one piece of memory. */
static int
populate(struct rte_mempool *mp)
{
	size_t len = (size_t)mp->size * (mp->header_size + mp->elt_size + mp->trailer_size) +
		RTE_CACHE_LINE_SIZE;
	void *memory = rte_malloc_socket("iovtee_loan", len, RTE_CACHE_LINE_SIZE, mp->socket_id);
	int ret = -ENOMEM;

	if (memory != NULL)
		ret = rte_mempool_populate_iova(mp, memory, RTE_BAD_IOVA, len, free_memory, memory);
	if (ret == (int)mp->size)
		return 0;
	if (ret <= 0)
		rte_free(memory);
	return ret < 0 ? ret : -ENOMEM;
}

static int
make_mempool(struct loan_pool *lp, uint32_t n, const struct pattern *p, int socket)
{
	const struct rte_pktmbuf_pool_private priv = {
		.mbuf_data_room_size = p->room,
		.mbuf_priv_size = p->look.priv,
		.flags = RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF,
	};
	char name[RTE_MEMPOOL_NAMESIZE];
	uint32_t lines;
	int ret;

	snprintf(name, sizeof(name), "iovtee_loan_%u", serial++);
	/* No per-lcore cache: the guest waits for what would be in it. */
	lp->mp = rte_mempool_create_empty(name, n, sizeof(struct rte_mbuf) + p->look.priv + p->room,
		0, sizeof(priv), socket, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
	if (lp->mp == NULL)
		return -rte_errno;
	lp->stride = lp->mp->header_size + lp->mp->elt_size + lp->mp->trailer_size;
	lines = lp->stride / RTE_CACHE_LINE_SIZE;
	lp->inverse = (UINT32_MAX + UINT64_C(1) + lines - 1) / lines;
	ret = rte_mempool_set_ops_byname(lp->mp, "iovtee_loan", lp);
	if (ret < 0)
		return ret;
	rte_pktmbuf_pool_init(lp->mp, (void *)(uintptr_t)&priv);
	return populate(lp->mp);
}

static void
loan_pool_free(struct loan_pool *lp)
{
	pinned_free_pool(lp->mp);
	rte_free(lp->headers_out);
	rte_free(lp);
}

/* In the mbuf's second cache line, which is used anyway, if there is room; else behind the private area. */
static void
place_shinfo(struct pattern *p)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "iovtee_loan",
		.size = sizeof(struct rte_mbuf_ext_shared_info),
		.align = __alignof__(struct rte_mbuf_ext_shared_info),
	};
	int offset = rte_mbuf_dynfield_register(&field);
	struct pinned_look *look = &p->look;

	look->priv = look->app_priv;
	if (offset < 0)
		look->priv += field.size;
	look->priv = RTE_ALIGN(look->priv, RTE_CACHE_LINE_SIZE);
	if (offset < 0)
		offset = sizeof(struct rte_mbuf) + look->priv - field.size;
	p->shinfo_offset = offset;
}

/* Like the sample, which is an mbuf of the application's pool. */
static int
fill(struct loan_pool *lp, uint32_t ids, const struct rte_mbuf *like)
{
	struct pattern p = {
		.lp = lp,
		.look = {.like = like, .app_priv = rte_pktmbuf_priv_size(like->pool)},
	};
	int ret;

	place_shinfo(&p);
	p.room = lp->headers ? RTE_PKTMBUF_HEADROOM + LOAN_HEADERS : 0;
	ret = make_mempool(lp, lp->headers ? 2 * ids : ids, &p, like->pool->socket_id);
	if (ret < 0)
		return ret;
	rte_mempool_obj_iter(lp->mp, init_obj, &p);
	lp->end = lp->first + (size_t)lp->mp->size * lp->stride;
	return p.uneven ? -ENOTSUP : 0;
}

static uint64_t
rearm_word(uint16_t data_off, uint16_t port)
{
	struct rte_mbuf m = {.data_off = data_off, .nb_segs = 1, .port = port};

	rte_mbuf_refcnt_set(&m, 1);
	return *(const uint64_t *)&m.rearm_data;
}

struct loan_pool *
loan_pool_create(uint16_t ids, struct rte_mempool *like, uint16_t port, uint16_t data_off,
	bool headers, const struct rte_device *dma)
{
	struct loan_pool *lp = rte_zmalloc("iovtee_loan", sizeof(*lp), RTE_CACHE_LINE_SIZE);
	struct rte_mbuf *sample = rte_pktmbuf_alloc(like);
	int ret = sample == NULL ? -ENOBUFS : -ENOMEM;

	if (lp != NULL && sample != NULL) {
		lp->ids = ids;
		lp->headers = headers;
		lp->like = like;
		lp->dma = dma;
		lp->rearm = rearm_word(data_off, port);
		lp->headers_out = rte_zmalloc("iovtee_loan", ids, RTE_CACHE_LINE_SIZE);
		ret = lp->headers_out == NULL ? -ENOMEM : fill(lp, ids, sample);
	}
	rte_pktmbuf_free(sample);
	if (ret == 0)
		return lp;
	IOVTEE_LOG(ERR,
		"no mbufs for zero-copy transmit, the guest's packets are copied: %s; reserve more "
		"hugepages, or make pool %s larger",
		rte_strerror(-ret), like->name);
	if (lp != NULL)
		loan_pool_free(lp);
	return NULL;
}

static bool
headers_are_out(const struct loan_pool *lp)
{
	for (uint32_t id = 0; id < lp->ids; id++)
		if (loan_headers_out(lp, id))
			return true;
	return false;
}

static void sweep(void *arg);

static void
sweep_later(void)
{
	if (__atomic_exchange_n(&sweeping, true, __ATOMIC_ACQ_REL))
		return;
	if (rte_eal_alarm_set(SWEEP_US, sweep, NULL) == 0)
		return;
	__atomic_store_n(&sweeping, false, __ATOMIC_RELEASE);
	IOVTEE_LOG(WARNING, "the mbufs of a guest that is gone stay until the next one goes");
}

/*
 * Free the pools whose packets and headers are all back. At the second sweep that finds them so: whoever freed the
 * last mbuf has left the mempool's functions by then. Packets that a NIC has sent come back by being asked for, and
 * nobody polls for the guest any more.
 */
static void
sweep(void *arg)
{
	struct loan_pool **at = &retired, *lp;
	bool again = false;

	__atomic_store_n(&sweeping, false, __ATOMIC_RELEASE);
	control_lock();
	while ((lp = *at) != NULL) {
		if (lp->idle) {
			*at = lp->next;
			loan_pool_free(lp);
			continue;
		}
		again = true;
		if (__atomic_load_n(&lp->gone, __ATOMIC_ACQUIRE))
			lp->idle = !headers_are_out(lp);
		else
			uplink_reap_device(lp->dma);
		at = &lp->next;
	}
	control_unlock();
	if (again)
		sweep_later();
}

void
loan_pool_retire(struct loan_pool *lp)
{
	lp->next = retired;
	retired = lp;
	sweep_later();
}

void
loan_pool_gone(void *pool)
{
	struct loan_pool *lp = pool;

	__atomic_store_n(&lp->gone, true, __ATOMIC_RELEASE);
	sweep_later();
}
