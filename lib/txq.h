/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's transmit virtqueue, as the switch's back end sees it: control side.
 *
 * The data path is in transmit.h. One thread at a time uses a queue, which its owner sees to: a
 * switch polls each queue from one lcore, and shuts that out before it changes the queue.
 *
 * Packets may be borrowed instead of copied: they stay in the guest's memory until the last NIC has read
 * them, and come back on any lcore. A queue with packets out when it is destroyed stays in
 * memory, holding its guest memory, until the last one is back.
 */
#ifndef IOVT_TXQ_H
#define IOVT_TXQ_H

#include <stdbool.h>
#include <stdint.h>

#include "barrier.h"
#include "dirty.h"
#include "guest_mem.h"
#include "inflight.h"
#include "vring.h"

/*
 * What one packet of the guest's is doing, by descriptor id.
 *
 *             borrow            come back
 *    FREE ----------> BORROWED -----------> FREE
 *      ^                 |
 *      |    come back    v destroy
 *      +-------------- LATE
 *
 *  FREE      the guest's, or not offered
 *  BORROWED  with the switch or a NIC; the guest waits for it. In a packed ring also while it is copied
 *  LATE      the guest's again, while it still is with the switch
 */
enum iovt_loan_state { IOVT_LOAN_FREE, IOVT_LOAN_LATE, IOVT_LOAN_BORROWED };

/* An entry of the queue's record, see inflight.h. */
struct iovt_loan {
	uint16_t state; /* enum iovt_loan_state */
	uint16_t descs; /* slots that the chain takes in a packed ring */
};
_Static_assert(IOVT_LOAN_LATE < IOVT_IN_HAND && IOVT_LOAN_BORROWED >= IOVT_IN_HAND,
	"who has what, in a record");

/* Counters, written by the queue's thread (those of loans under the lock), read by anybody: iovt_look(). */
struct iovt_txq_stats {
	uint64_t chained;     /* packets that were not in one descriptor of the ring */
	uint64_t too_short;   /* dropped: not even an Ethernet header */
	uint64_t too_big;     /* dropped: longer than any packet, or in too many pieces */
	uint64_t ring_errors; /* 1 once the ring is broken */
	uint64_t borrowed;    /* packets handed on in place: returned + overdue, and those out */
	uint64_t returned;    /* of these, the ones that came back */
	uint64_t overdue;     /* of these, the ones that were out when the queue was destroyed */
	uint64_t resumed;     /* buffers given back that a killed process had in hand */
};

struct iovt_txq_conf {
	struct iovt_vring_conf ring;
	uint8_t hdr_len; /* of the virtio-net header: 12, or 10 without VERSION_1 and MRG_RXBUF */
	struct iovt_dirty_log log;
	uint16_t borrow_max; /* packets that may be out at once, 0: all are copied */
	uint16_t front;      /* bytes before a borrowed buffer that are written to as well */
	struct iovt_inflight_conf inflight; /* its record has iovt_txq_record_bytes() */
	/* Called once when the queue is destroyed and its last packet is back; must not block. */
	void (*release)(void *ctx);
	void *ctx;
};

struct iovt_txq {
	struct iovt_vring vr;
	struct iovt_guest_mem *mem;
	const struct iovt_mem_region *region; /* of mem, where the last packet was */
	const char *error;                    /* what broke the ring; NULL: it is in order */
	uint8_t hdr_len;
	struct iovt_dirty_log log;
	struct iovt_lock lock; /* of queues with loans: around a burst, and a return */
	bool destroyed;
	bool resumed; /* from a killed process; the guest may wait to be notified */
	uint16_t borrow_max;
	uint16_t front;
	uint16_t nr_borrowed;
	struct iovt_loan *loan; /* [size], by id: entries of the record */
	void *own_record;       /* NULL: the caller's is used */
	void (*release)(void *ctx);
	void *ctx;
	struct iovt_txq_stats stats;
};

/** Bytes of the record of a queue with so many entries. */
size_t iovt_txq_record_bytes(uint16_t size);

/**
 * A record of a killed process is gone on with, see inflight.h. Control thread.
 *
 * @return 0; -EINVAL: sizes or pointers that no virtqueue can have; -ENOMEM.
 */
int iovt_txq_create(const struct iovt_txq_conf *conf, struct iovt_txq **out);

/**
 * Let go of a queue that no data path uses any more. Packets that are still out are the guest's again, and
 * counted as overdue: whoever holds them reads what the guest makes of them. Freed now, or with the last of
 * them. Control thread.
 *
 * @param end is filled in.
 * @param stats the counters, as they end.
 * @return packets that are still out.
 */
unsigned int iovt_txq_destroy(struct iovt_txq *q, struct iovt_vring_end *end,
	struct iovt_txq_stats *stats);

/** Mark the ring broken, for a reason; counted and left alone from now on. The queue's thread. */
void iovt_txq_break(struct iovt_txq *q, const char *why);

/** Packets that are out now. Any thread, not for the hot path. */
unsigned int iovt_txq_out(struct iovt_txq *q);

/** Packets handed on in place came back, by the ids that they had. Any lcore, at any time. */
void iovt_txq_return(struct iovt_txq *q, const uint16_t *ids, unsigned int n);

#endif
