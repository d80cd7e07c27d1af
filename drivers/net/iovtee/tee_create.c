/* SPDX-License-Identifier: BSD-3-Clause */
/* Making a tee pool that looks like the application's own pool. */
#include <string.h>

#include <rte_errno.h>

#include "log.h"
#include "pinned.h"
#include "tee_pool.h"

/*
 * Slots of the ring of delivered mbufs: some bursts. More would only spread them over more cache lines;
 * what finds no room goes to the stack.
 */
#define DELIVERED 512

/* How one object of the application's pool looks, to be repeated in every object of ours. */
struct pattern {
	struct tee_pool *tee;
	struct pinned_look look;
	uint16_t data_room;
};

/* Tells a bound mbuf, too: see tee_root. */
static void
free_bound(void *addr, void *mbuf)
{
	pinned_free(mbuf);
}

const struct rte_mbuf *
tee_root(const struct rte_mbuf *seg)
{
	if (!RTE_MBUF_HAS_EXTBUF(seg) || seg->shinfo->free_cb != free_bound)
		return NULL;
	return seg->shinfo->fcb_opaque;
}

bool
tee_may_leave(const struct rte_mbuf *m)
{
	for (; m != NULL; m = m->next) {
		const struct rte_mbuf *root = tee_root(m);

		if (root != NULL && !((struct tee_pool *)root->pool->pool_data)->trust)
			return false;
	}
	return true;
}

static void
init_obj(struct rte_mempool *mp, void *arg, void *obj, unsigned int idx)
{
	const struct pattern *p = arg;
	struct rte_mbuf *m = obj;

	pinned_init(mp, m, &p->look, &tee_rec(p->tee, m)->shinfo, free_bound);
	tee_use_host_buf(p->tee, m);
}

static struct rte_mempool *
create_like(const char *name, unsigned int n, struct pattern *p, int socket)
{
	struct rte_pktmbuf_pool_private priv = {
		.mbuf_data_room_size = p->data_room,
		.mbuf_priv_size = p->look.priv,
		.flags = RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF,
	};
	struct rte_mempool *mp;
	int ret;

	/* No per-lcore cache: it would hide bound buffers, and mix them with others. */
	mp = rte_mempool_create_empty(name, n,
		sizeof(struct rte_mbuf) + p->look.priv + p->data_room, 0, sizeof(priv), socket, 0);
	if (mp == NULL)
		return NULL;
	ret = rte_mempool_set_ops_byname(mp, "iovtee", NULL);
	if (ret == 0) {
		rte_pktmbuf_pool_init(mp, &priv);
		ret = rte_mempool_populate_default(mp);
	}
	if (ret < 0) {
		pinned_free_pool(mp);
		rte_errno = -ret;
		return NULL;
	}
	p->tee = mp->pool_data;
	p->tee->delivered = rte_ring_create(name, DELIVERED, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (p->tee->delivered == NULL) {
		pinned_free_pool(mp);
		return NULL;
	}
	p->tee->rec_offset = sizeof(struct rte_mbuf) + p->look.priv - sizeof(struct tee_rec);
	p->tee->host_offset = sizeof(struct rte_mbuf) + p->look.priv;
	p->tee->host_len = p->data_room;
	rte_mempool_obj_iter(mp, init_obj, p);
	p->tee->is_tee = true;
	return mp;
}

struct rte_mempool *
tee_pool_create(const char *name, unsigned int n, struct rte_mempool *like, uint16_t data_room)
{
	struct rte_mbuf *sample = rte_pktmbuf_alloc(like);
	struct rte_mempool *mp;
	struct pattern p;

	if (sample == NULL) {
		IOVTEE_LOG(ERR, "pool %s is empty; it needs more mbufs", like->name);
		rte_errno = ENOBUFS;
		return NULL;
	}
	p.look.like = sample;
	p.look.app_priv = rte_pktmbuf_priv_size(like);
	/* The record in one cache line, and the host buffer at the start of one. */
	p.look.priv = RTE_ALIGN(p.look.app_priv + sizeof(struct tee_rec), RTE_CACHE_LINE_SIZE);
	p.data_room = data_room;
	mp = create_like(name, n, &p, like->socket_id);
	if (mp == NULL)
		IOVTEE_LOG(ERR, "cannot make a pool of %u mbufs: %s; reserve more hugepages", n,
			rte_strerror(rte_errno));
	rte_pktmbuf_free(sample);
	return mp;
}
