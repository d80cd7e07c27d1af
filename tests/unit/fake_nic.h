/* SPDX-License-Identifier: BSD-3-Clause */
/* A NIC driver's refill, as far as the engine sees it: keeps a list of what it was lent. */
#ifndef FAKE_NIC_H
#define FAKE_NIC_H

#include "harvest.h"

static inline void
fake_nic_note(void *bufs, size_t k, const struct iovt_buf *buf)
{
	((struct iovt_buf *)bufs)[k] = *buf;
}

/* Harvest into a list. Returns how many of it are lent. */
static inline unsigned int
fake_nic_harvest(struct iovt_rxq *q, struct iovt_buf *bufs, unsigned int n, unsigned int min)
{
	return iovt_harvest(q, q->vr.format, n, min, fake_nic_note, bufs);
}

#endif
