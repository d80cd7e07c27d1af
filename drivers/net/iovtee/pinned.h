/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mbufs with a pinned external buffer that look like those of the application: what tee pool and loan pool have
 * in common. Clones are counted, and the mbuf is free when the last one is.
 */
#ifndef IOVTEE_PINNED_H
#define IOVTEE_PINNED_H

#include <rte_mbuf.h>

/* How each object of such a pool looks. */
struct pinned_look {
	const struct rte_mbuf *like; /* one of the application's pool */
	uint16_t app_priv;           /* bytes of private area that the application knows of */
	uint16_t priv;               /* with ours behind them */
};

/** Make obj, of a mempool being made, such an mbuf. Its buffer is the caller's to set. */
void pinned_init(struct rte_mempool *mp, struct rte_mbuf *obj, const struct pinned_look *look,
	struct rte_mbuf_ext_shared_info *shinfo, rte_mbuf_extbuf_free_callback_t free_cb);

/** For that callback: the last clone is gone, after the mbuf itself was freed; now free that. */
void pinned_free(struct rte_mbuf *m);

/**
 * Free a mempool of such mbufs. Others look through the list of mempools at any time (telemetry, rte_mempool_lookup(),
 * OVS's and testpmd's dumps) and hold a lock meanwhile that rte_mempool_free() does not take, up to DPDK 25.11: it takes
 * an entry away under their feet. Control thread; not from a callback of rte_mempool_walk().
 */
void pinned_free_pool(struct rte_mempool *mp);

#endif
