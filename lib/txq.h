/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's transmit virtqueue, as the switch's back end sees it: control side.
 *
 * The data path is in transmit.h. One thread at a time uses a queue, which its owner sees to: a
 * switch polls each queue from one lcore, and shuts that out before it changes the queue.
 */
#ifndef IOVT_TXQ_H
#define IOVT_TXQ_H

#include <stdint.h>

#include "dirty.h"
#include "guest_mem.h"
#include "vring.h"

/* Counters, written by the queue's thread, read by anybody. */
struct iovt_txq_stats {
	uint64_t chained;     /* packets that were not in one descriptor of the ring */
	uint64_t too_short;   /* dropped: not even an Ethernet header */
	uint64_t too_big;     /* dropped: longer than any packet, or in too many pieces */
	uint64_t ring_errors; /* 1 once the ring is broken */
};

struct iovt_txq_conf {
	struct iovt_vring_conf ring;
	uint8_t hdr_len; /* of the virtio-net header: 12, or 10 without VERSION_1 and MRG_RXBUF */
	struct iovt_dirty_log log;
};

struct iovt_txq {
	struct iovt_vring vr;
	struct iovt_guest_mem *mem;
	const struct iovt_mem_region *region; /* of mem, where the last packet was */
	const char *error;                    /* what broke the ring; NULL: it is in order */
	uint8_t hdr_len;
	struct iovt_dirty_log log;
	struct iovt_txq_stats stats;
};

/** @return 0; -EINVAL: sizes or pointers that no virtqueue can have; -ENOMEM. Control thread. */
int iovt_txq_create(const struct iovt_txq_conf *conf, struct iovt_txq **out);

/**
 * Let go of a queue that no data path uses any more. Control thread.
 *
 * @param last_avail, last_used the bases that the front end must be told (GET_VRING_BASE).
 */
void iovt_txq_destroy(struct iovt_txq *q, uint16_t *last_avail, uint16_t *last_used);

/** Mark the ring broken, for a reason; counted and left alone from now on. The queue's thread. */
void iovt_txq_break(struct iovt_txq *q, const char *why);

#endif
