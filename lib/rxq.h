/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's receive virtqueue, as the switch's back end sees it: control side.
 *
 * The data path is in harvest.h (guest buffers out to the NIC), complete.h (filled buffers back to
 * the guest) and copy.h (the same with the CPU in the NIC's place).
 *
 * Life: create -> data path runs -> close (data path sees nothing any more) -> the owner flushes
 * the NIC, so that lent buffers come back by reclaim -> give_back -> put. A queue with buffers still
 * lent stays in memory after put, holding its guest memory, until the last one is reclaimed.
 */
#ifndef IOVT_RXQ_H
#define IOVT_RXQ_H

#include <stdbool.h>
#include <stdint.h>

#include "barrier.h"
#include "binding.h"
#include "chain.h"
#include "dirty.h"
#include "guest_mem.h"
#include "inflight.h"
#include "vnet_hdr.h"
#include "vring.h"

enum iovt_rxq_state {
	IOVT_RXQ_RUNNING,
	IOVT_RXQ_CLOSED, /* by its owner */
	IOVT_RXQ_BROKEN, /* by the guest: left alone until it is reset */
};

/*
 * Counters, written under the queue's lock. Every harvested buffer is accounted for:
 * harvested = completed + copied_reclaimed + rewound + flushed + abandoned + late, once the queue is
 * given back; before that, nr_lent + nr_reclaimed make up the difference.
 */
struct iovt_rxq_stats {
	uint64_t harvested;        /* buffers taken from the avail ring for the NIC */
	uint64_t completed;        /* lent buffers delivered to the guest */
	uint64_t copied_bufs;      /* buffers filled by the CPU and delivered */
	uint64_t copied_reclaimed; /* of these, the ones that had been harvested before */
	uint64_t reclaimed;        /* lent buffers that came back undelivered */
	uint64_t rewound;          /* buffers given back by rewinding the avail index */
	uint64_t flushed;          /* buffers given back with length 0 */
	uint64_t abandoned;        /* reclaimed buffers of a broken ring, which is left alone */
	uint64_t late;             /* buffers given back with length 0 while the switch held them */
	uint64_t unbindable;       /* chains met by harvest that a NIC may not fill */
	uint64_t starved;          /* harvests that found no chain available */
	uint64_t ring_errors;      /* 1 once the ring is broken */
	uint64_t resumed;          /* buffers given back that a killed process had in hand */
};

/* What a queue is like at one moment. */
struct iovt_rxq_view {
	enum iovt_rxq_state state;
	uint16_t lent;      /* buffers with the NIC or the switch */
	uint16_t reclaimed; /* buffers that came back undelivered and are not lent again yet */
	bool unbindable;    /* harvest stopped at a chain that only a copy can use */
	struct iovt_rxq_stats stats;
};

struct iovt_rxq_conf {
	struct iovt_vring_conf ring;
	uint16_t lend_max; /* buffers that may be with the NIC and the switch at once */
	uint8_t hdr_len;   /* 12, or 10 for a guest without VERSION_1 and MRG_RXBUF */
	bool mergeable;    /* MRG_RXBUF negotiated: a packet may take several buffers */
	uint32_t nic_max;  /* largest number of bytes that the NIC may write for one frame */
	uint16_t front;    /* bytes before a lent buffer that are written to as well */
	struct iovt_dirty_log log;
	struct iovt_inflight_conf inflight; /* its record has iovt_rxq_record_bytes() */
	/* Called once when the queue is put and its last buffer is back; must not block. */
	void (*release)(void *ctx);
	void *ctx;
};

struct iovt_rxq {
	struct iovt_lock lock;
	uint8_t state; /* enum iovt_rxq_state */
	uint8_t hdr_len;
	bool mergeable;
	bool put;             /* the owner has let go */
	bool resumed;         /* from a killed process; the guest may wait to be notified */
	bool head_unbindable; /* harvest stopped at a chain that only a copy can use */
	uint16_t lend_max;
	uint16_t nr_lent;
	uint16_t nr_reclaimed;
	uint16_t nr_taken;      /* chains taken from the ring and not given back, free running */
	uint16_t unbindable_at; /* value of nr_taken at that chain */
	uint16_t front;         /* bytes before a bindable buffer that are in its region, too */
	uint32_t bind_min;      /* bytes that a bindable buffer holds at least */
	uint32_t taken_mask;
	struct iovt_vring vr;
	struct iovt_binding *binding; /* [size], by id: entries of the record */
	uint16_t *reclaimed;          /* [size], a stack of ids */
	uint16_t *taken;   /* [taken_mask + 1], ids in the order in which they were taken */
	const char *error; /* what broke the ring */
	struct iovt_rxq_stats stats;
	struct iovt_guest_mem *mem;
	const struct iovt_mem_region *region; /* of mem, where the last lent buffer was */
	struct iovt_dirty_log log;
	void *own_record; /* NULL: the caller's is used */
	void (*release)(void *ctx);
	void *ctx;
};

/** Bytes of the record of a queue with so many entries. */
size_t iovt_rxq_record_bytes(uint16_t size);

/**
 * A record of a killed process is gone on with, see inflight.h. Control thread.
 *
 * @return 0; -EINVAL: sizes or pointers that no virtqueue can have; -ENOMEM.
 */
int iovt_rxq_create(const struct iovt_rxq_conf *conf, struct iovt_rxq **out);

/**
 * Shut the data path out: returns when no lcore is inside a call on this queue and none will do
 * anything but reclaim from now on. Control thread; waits for one burst at most.
 */
void iovt_rxq_close(struct iovt_rxq *q);

/**
 * Give every buffer that is back to the guest: by rewinding the avail index where they are its newest
 * entries, else as used with length 0 (a virtio-net driver counts and recycles that). So are buffers that are
 * still lent, and which no NIC may hold any more: whoever holds them reads what the guest makes of them. After
 * close.
 *
 * @param end is filled in.
 * @return buffers still lent, counted as late.
 */
unsigned int iovt_rxq_give_back(struct iovt_rxq *q, struct iovt_vring_end *end);

/** Let go of a closed queue. Freed now, or by the reclaim of the last lent buffer. */
void iovt_rxq_put(struct iovt_rxq *q);

/** The queue as it is now. Any thread, not for the hot path: waits for one burst at most. */
struct iovt_rxq_view iovt_rxq_look(struct iovt_rxq *q);

/** Buffers that could be lent now, as far as the ring's indices tell. Any thread, not for the hot path. */
unsigned int iovt_rxq_available(struct iovt_rxq *q);

/** Lent buffers that came back undelivered. Any lcore, at any time in the queue's life. */
void iovt_rxq_reclaim(struct iovt_rxq *q, const uint16_t *ids, unsigned int n);

/** The chain of binding id, as the ring knows it. Under the lock. */
IOVT_INLINE struct iovt_chain
iovt_rxq_chain(const struct iovt_rxq *q, uint16_t id)
{
	return (struct iovt_chain){id, q->binding[id].descs};
}

/** Note the chain that was just taken from the ring, so that it can be given back. Under the lock. */
IOVT_INLINE void
iovt_rxq_note_taken(struct iovt_rxq *q, struct iovt_chain c, enum iovt_binding_state state)
{
	q->binding[c.id].descs = c.descs;
	q->taken[q->nr_taken++ & q->taken_mask] = c.id;
	iovt_binding_move(&q->binding[c.id], IOVT_FREE, state);
}

/** All that a NIC can have written into lent buffer id is dirty. Under the lock. */
void iovt_rxq_mark_dirty(struct iovt_rxq *q, uint16_t id);

/** Mark the ring broken, for a reason; counted and left alone from now on. Under the lock. */
void iovt_rxq_break(struct iovt_rxq *q, const char *why);

#endif
