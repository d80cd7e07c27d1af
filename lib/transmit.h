/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transmit: take the packets that a guest sends, by copying them out of its memory or by borrowing them
 * there (hot path).
 *
 * The virtio-net header is read only for those who want it: what it could ask for (checksums, segmentation) is offered
 * to few guests.
 */
#ifndef IOVT_TRANSMIT_H
#define IOVT_TRANSMIT_H

#include "txq.h"
#include "virtqueue.h"
#include "vnet_hdr.h"

/* Packets whose descriptors are read before the first is copied, so that their data can be on its way. */
#define IOVT_TX_BATCH 64

/* An Ethernet header; and the longest IP packet behind one with two VLAN tags. */
#define IOVT_TX_LEN_MIN 14u
#define IOVT_TX_LEN_MAX (14u + 2 * 4 + 65535)

/* A packet in one piece: len bytes at data, behind the virtio-net header. */
struct iovt_frame {
	const uint8_t *data;
	uint32_t len;
	uint16_t id;
	uint64_t iova; /* where a NIC finds it, if it may be borrowed */
};

enum iovt_tx_fate {
	IOVT_TX_COPIED,
	IOVT_TX_BORROWED, /* it stays where it is until iovt_txq_return() */
	IOVT_TX_DROPPED,  /* looked at, and not handed on: the next packet is the k-th */
	IOVT_TX_LEFT,     /* not now: it stays in the ring, and so does what is behind it */
};

/*
 * What becomes of the k-th packet. Its bytes are guest memory, which may change at any moment: copied
 * within the call, and read once; or borrowed, if it may be. Inlined for a packet in one piece.
 */
typedef enum iovt_tx_fate (
	*iovt_tx_frame_fn)(void *ctx, size_t k, const struct iovt_frame *frame, bool may_borrow);

/* A packet of len bytes in nr pieces, behind its virtio-net header. */
struct iovt_pieces {
	const struct iovt_piece *piece;
	unsigned int nr;
	uint32_t len;
	struct iovt_vnet_hdr hdr; /* num_buffers is 0 */
};

/** The same for a packet in pieces, or larger than room. @return 0; -EINVAL: dropped; -ENOMEM: not now. */
typedef int (*iovt_tx_pieces_fn)(void *ctx, size_t k, const struct iovt_pieces *packet);

/** The header of the packet that frame() is called for. To be read once. */
IOVT_INLINE struct iovt_vnet_hdr
iovt_tx_header(const struct iovt_txq *q, const struct iovt_frame *frame)
{
	return iovt_vnet_hdr_read(frame->data - q->hdr_len);
}

/**
 * transmit.c: take one packet of any layout.
 * @return 1: taken; 0: dropped; -EAGAIN: there is none; -ENOMEM: still in the ring; -EPROTO: the ring is
 *   broken.
 */
int iovt_tx_take_chain(struct iovt_txq *q, iovt_tx_pieces_fn pieces, void *ctx, size_t k);

/**
 * How many packets can be taken, up to n: none if 0, else at least one, maybe fewer than this. Not blocking.
 *
 * @param f the ring's format, a constant.
 */
IOVT_INLINE unsigned int
iovt_tx_ready(struct iovt_txq *q, const enum iovt_ring_format f, unsigned int n)
{
	int ready;

	if (iovt_unlikely(q->error != NULL))
		return 0;
	ready = iovt_vq_available(&q->vr, f, n);
	if (iovt_unlikely(ready < 0)) {
		iovt_txq_break(q, "avail index jumped");
		return 0;
	}
	return (unsigned int)ready < n ? (unsigned int)ready : n;
}

/*
 * The common case: packets in a single descriptor, in the region where the last one was and neither at its very
 * end nor, if they may be borrowed, so near to its beginning that what is written before one would be outside.
 * Read and checked, up to n of them, and their data on its way to the cache.
 */
IOVT_INLINE size_t
iovt_tx_look(const struct iovt_txq *q, const enum iovt_ring_format f, const struct iovt_vring *vr,
	size_t n, uint32_t room, struct iovt_frame *frame)
{
	const struct iovt_mem_region *r = q->region;
	const uint32_t hdr_len = q->hdr_len, max = hdr_len + room;
	const struct iovt_desc_range range = iovt_vq_range(vr, f, IOVT_FROM_GUEST,
		hdr_len + IOVT_TX_LEN_MIN, max);
	const uint64_t gpa = r->gpa + q->front, last = r->size - max - q->front;
	const uint8_t *const va = r->va + q->front + hdr_len;
	size_t k;

	if (iovt_unlikely(r->size < max + q->front))
		return 0;
	for (k = 0; k < n; k++) {
		struct iovt_simple s;
		uint64_t off;

		if (iovt_unlikely(!iovt_vq_read_simple(vr, f, k, range, &s)))
			break;
		off = s.gpa - gpa;
		if (iovt_unlikely(off > last))
			break;
		frame[k].data = va + off;
		frame[k].len = s.len - hdr_len;
		frame[k].id = s.id;
		__builtin_prefetch(va + off);
	}
	return k;
}

/*
 * What will be read of packets is brought into the cache some packets ahead: what the CPU's own prefetcher
 * does comes too late when they were written by a core that is far away.
 */
#define IOVT_TX_AHEAD 2

/* How much of a packet will be read: all of it if it is shorter than this, and never borrowed; else its head. */
struct iovt_tx_reads {
	uint32_t all_below;
	uint32_t head;
};

/* Nothing is borrowed: nothing is left of that where this is a constant. */
#define IOVT_TX_READS_ALL ((struct iovt_tx_reads){UINT32_MAX, UINT32_MAX})

IOVT_INLINE bool
iovt_tx_never_borrows(const struct iovt_tx_reads reads)
{
	return reads.all_below == UINT32_MAX;
}

IOVT_INLINE void
iovt_tx_fetch_rest(const struct iovt_frame *f, const struct iovt_tx_reads reads)
{
	bool all = iovt_tx_never_borrows(reads) || f->len < reads.all_below || f->len < reads.head;
	uint32_t len = all ? f->len : reads.head;

	for (uint32_t off = 64; off < len; off += 64)
		__builtin_prefetch(f->data + off);
}

/* Not one that the guest offers twice, nor one that a NIC does not find in one piece. r: where it is. */
IOVT_INLINE bool
iovt_tx_may_borrow(const struct iovt_loan *loan, const struct iovt_mem_region *r,
	const struct iovt_iova_shift shift, struct iovt_frame *f)
{
	return iovt_likely(loan->state == IOVT_LOAN_FREE) &&
		iovt_likely(iovt_guest_mem_shift(r, shift, f->data, f->len, &f->iova) == 0);
}

IOVT_INLINE void
iovt_tx_lend(struct iovt_loan *loan, uint16_t descs)
{
	loan->descs = descs;
	iovt_program_order();
	IOVT_WRITE_ONCE(loan->state, IOVT_LOAN_BORROWED);
}

/*
 * A copied packet is used. In a packed ring that overwrites a descriptor, maybe its own, which could not be taken
 * again: so it is in hand before. In a split ring it could, unless one behind it is borrowed.
 */
IOVT_INLINE void
iovt_tx_put_copied(struct iovt_txq *q, struct iovt_vring *vr, const enum iovt_ring_format f,
	struct iovt_chain c, const bool borrows)
{
	struct iovt_loan *loan = &q->loan[c.id];
	const bool mark = f == IOVT_PACKED && iovt_likely(loan->state == IOVT_LOAN_FREE);

	if (mark)
		iovt_tx_lend(loan, c.descs);
	iovt_vq_put(vr, f, c, 0);
	if (f == IOVT_PACKED || borrows)
		iovt_vq_commit(vr, f);
	if (mark)
		IOVT_WRITE_ONCE(loan->state, IOVT_LOAN_FREE);
}

IOVT_INLINE void
iovt_tx_count_borrowed(struct iovt_txq *q, unsigned int n)
{
	q->nr_borrowed += n;
	q->stats.borrowed += n;
}

/** A packet in several descriptors may have been counted as more than one. */
IOVT_INLINE unsigned int
iovt_tx_still_ready(struct iovt_vring *vr, const enum iovt_ring_format f, unsigned int n)
{
	unsigned int ready = iovt_vq_available(vr, f, n);

	return ready < n ? ready : n;
}

/**
 * Take up to n packets, as many as ready() has told of.
 *
 * @param f the ring's format, a constant.
 * @param n IOVT_TX_BATCH at most.
 * @param room bytes that a packet may have for frame(), 14 to 65535; pieces() takes all others.
 * @param reads how much frame() reads, a constant.
 * @return packets handed on; fewer if some were dropped, frame() or pieces() left one, the ring broke, or
 *   packets take several descriptors of a packed ring.
 */
IOVT_INLINE unsigned int
iovt_tx_take(struct iovt_txq *q, const enum iovt_ring_format f, unsigned int n, uint32_t room,
	const struct iovt_tx_reads reads, iovt_tx_frame_fn frame, iovt_tx_pieces_fn pieces,
	void *ctx)
{
	struct iovt_vring vr = iovt_vq_copy(&q->vr, f);
	struct iovt_loan *const loans = q->loan;
	struct iovt_frame fr[IOVT_TX_BATCH];
	size_t got = 0;
	unsigned int left = n;

	/* What an earlier call copied cannot be taken again once one behind it is borrowed. */
	if (!iovt_tx_never_borrows(reads))
		iovt_vq_commit(&vr, f);
	iovt_vq_fetch(&vr, f, n);
	iovt_vq_prefetch(&vr, f, n);
	for (;;) {
		size_t k = iovt_tx_look(q, f, &vr, left, room, fr), i, borrowed = 0;
		const size_t credit = q->borrow_max - q->nr_borrowed;
		const struct iovt_mem_region *const region = q->region;
		const struct iovt_iova_shift shift = iovt_guest_mem_shift_of(region);
		int ret;

		for (i = 0; i < k && i < IOVT_TX_AHEAD; i++)
			iovt_tx_fetch_rest(&fr[i], reads);
		for (i = 0; i < k; i++) {
			const uint16_t id = fr[i].id;
			enum iovt_tx_fate fate;
			bool may_borrow;

			if (i + IOVT_TX_AHEAD < k)
				iovt_tx_fetch_rest(&fr[i + IOVT_TX_AHEAD], reads);
			may_borrow = !iovt_tx_never_borrows(reads) &&
				fr[i].len >= reads.all_below && borrowed < credit &&
				iovt_tx_may_borrow(&loans[id], region, shift, &fr[i]);
			fate = frame(ctx, got, &fr[i], may_borrow);
			if (fate == IOVT_TX_LEFT)
				break;
			got += fate != IOVT_TX_DROPPED;
			if (fate != IOVT_TX_BORROWED) {
				iovt_tx_put_copied(q, &vr, f, (struct iovt_chain){id, 1},
					!iovt_tx_never_borrows(reads));
				continue;
			}
			iovt_tx_lend(&loans[id], 1);
			borrowed++;
		}
		if (borrowed > 0)
			iovt_tx_count_borrowed(q, borrowed);
		iovt_vq_consume(&vr, f, i);
		left -= i;
		if (iovt_likely(left == 0) || i < k)
			break;
		iovt_vq_keep(&q->vr, f, &vr);
		ret = iovt_tx_take_chain(q, pieces, ctx, got);
		vr = q->vr;
		if (ret < 0)
			break;
		got += ret;
		left = iovt_tx_still_ready(&vr, f, left - 1);
	}
	iovt_vq_fetch(&vr, f, n);
	iovt_vq_keep(&q->vr, f, &vr);
	return got;
}

/** Show the guest what was taken. true: it asked to be notified. */
IOVT_INLINE bool
iovt_tx_end(struct iovt_txq *q, const enum iovt_ring_format f)
{
	return iovt_vq_publish(&q->vr, f);
}

/** The same for a queue with a dirty log. */
IOVT_INLINE bool
iovt_tx_end_logged(struct iovt_txq *q)
{
	return iovt_dirty_publish(&q->log, &q->vr);
}

#endif
