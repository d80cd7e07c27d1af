/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_eal_memconfig.h>

#include "pinned.h"

void
pinned_init(struct rte_mempool *mp, struct rte_mbuf *obj, const struct pinned_look *look,
	struct rte_mbuf_ext_shared_info *shinfo, rte_mbuf_extbuf_free_callback_t free_cb)
{
	memset(obj, 0, sizeof(*obj) + look->priv);
	memcpy(obj + 1, look->like + 1, look->app_priv);
	obj->priv_size = look->priv;
	obj->pool = mp;
	obj->nb_segs = 1;
	obj->port = RTE_MBUF_PORT_INVALID;
	obj->data_off = RTE_PKTMBUF_HEADROOM;
	rte_mbuf_refcnt_set(obj, 1);
	shinfo->free_cb = free_cb;
	shinfo->fcb_opaque = obj;
	rte_mbuf_ext_refcnt_set(shinfo, 1);
	obj->shinfo = shinfo;
}

void
pinned_free(struct rte_mbuf *m)
{
	rte_mbuf_ext_refcnt_set(m->shinfo, 1);
	m->next = NULL;
	m->nb_segs = 1;
	rte_mbuf_raw_free(m);
}

void
pinned_free_pool(struct rte_mempool *mp)
{
	rte_mcfg_mempool_write_lock();
	rte_mempool_free(mp);
	rte_mcfg_mempool_write_unlock();
}
