/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtqueue's record: what must outlive the process, so that the next one can go on where a killed one
 * stopped. Chains are used in any order, so the ring's indices do not tell which ones are in hand.
 *
 * It is what the data path works with anyway: an entry for each descriptor id, which says whether its chain is
 * in hand, and how far chains were used. In shared memory it is still there when the process is not. What makes it
 * enough, between any two stores, is their order:
 *
 *   take     an entry's state is the last to be stored; chains are taken in the order of the ring
 *   use      the used element; then progress.put, from where on nobody takes that back; then the state
 *   publish  the used index, or the head's flags; then progress.shown
 *
 * So the chains in hand are those whose state says so, but for those in used elements before progress.put; and
 * the next one to take is that far behind progress.put. The method is that of the vhost-user specification
 * ("Inflight I/O tracking"), for front ends that do not offer to keep the record.
 */
#ifndef IOVT_INFLIGHT_H
#define IOVT_INFLIGHT_H

#include "dirty.h"
#include "vring.h"

/* A record begins with this, entries follow. Each of them begins with its state and its slots, 16 bits each. */
struct iovt_inflight {
	uint64_t magic;
	uint64_t owner;
	uint32_t size;  /* entries */
	uint32_t entry; /* bytes */
	uint16_t format;
	uint16_t told; /* the base that the front end last told */
	struct iovt_progress progress;
	uint8_t pad[32];
};
_Static_assert(sizeof(struct iovt_inflight) == 64, "entries begin in a cache line of their own");

/* States from this one on: the guest waits for the chain. */
#define IOVT_IN_HAND 2u

/* A queue's record, as its owner asks for it. */
struct iovt_inflight_conf {
	/* Memory that outlives the process, of iovt_*_record_bytes(), in whole cache lines: zeroed, or the record of an
	 * earlier process. It is the caller's, and stays until the queue is gone. NULL: no record is kept. */
	void *record;
	uint64_t owner; /* tells guests, and queues of a guest, apart */
};

static inline size_t
iovt_inflight_bytes(uint32_t entry, uint32_t size)
{
	return (sizeof(struct iovt_inflight) + (size_t)entry * size + 63) & ~(size_t)63;
}

static inline void *
iovt_inflight_entries(struct iovt_inflight *r)
{
	return r + 1;
}

/**
 * Take a queue over from a process that was killed: finish what it had begun to show the guest, and give
 * all that it had in hand back with length 0. Every value of the record and of the ring is checked. May be killed
 * itself, at any point. Control thread, before the queue is made.
 *
 * @param entry bytes of an entry.
 * @param ring its bases are where the queue goes on.
 * @return chains given back; -ENODATA: this is not the record of that queue, nothing was done.
 */
int iovt_inflight_resume(struct iovt_inflight *r, uint64_t owner, uint32_t entry,
	struct iovt_vring_conf *ring, const struct iovt_dirty_log *log);

/** Begin a record: nothing is in hand. */
void iovt_inflight_begin(struct iovt_inflight *r, uint64_t owner, uint32_t entry,
	const struct iovt_vring_conf *ring);

/**
 * Go on with a record if it is that of this queue, else begin one; a private one if none is asked for. Sets
 * ring's bases.
 *
 * @param resumed chains that were given back; -ENODATA: the record is a new one.
 * @return the record; NULL: no memory. A private one is to be freed.
 */
struct iovt_inflight *iovt_inflight_open(const struct iovt_inflight_conf *c, uint32_t entry,
	struct iovt_vring_conf *ring, const struct iovt_dirty_log *log, int *resumed);

#endif
