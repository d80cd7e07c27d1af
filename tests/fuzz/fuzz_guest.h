/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest that writes its memory and its ring, of either format, as the fuzzer's bytes say. */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include "fake_mem.h"
#include "virtqueue.h"

#define FUZZ_RING_MAX       32
#define FUZZ_OPERATIONS_MAX 2000

/* The program, read as it is needed; zeros follow its end. */
struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

struct fuzz_guest;

/* A descriptor as the program has it, sensible or not. */
struct fuzz_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t link; /* next, or id */
};

struct fuzz_format {
	/* Make a ring at the start of memory, whose size and beginning the program's byte says. */
	void (*open)(struct fuzz_guest *g, uint8_t shape, struct iovt_vring_conf *ring);
	/* Write a descriptor, of a ring or a table. */
	void (*put)(void *at, struct fuzz_desc d);
	/* Offer this one in a chain of its own. */
	void (*offer)(struct fuzz_guest *g, struct fuzz_desc d);
	/* One write of what is particular to the format. */
	void (*write)(struct fuzz_guest *g);
};

extern const struct fuzz_format fuzz_split, fuzz_packed;

struct fuzz_split_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	uint16_t avail_idx;
};

struct fuzz_packed_ring {
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *driver;
	uint16_t slot; /* where the driver is */
	bool wrap;
};

struct fuzz_guest {
	struct fuzz_input in;
	struct fake_mem mem;
	const struct fuzz_format *format;
	uint16_t dir; /* IOVT_TO_GUEST or IOVT_FROM_GUEST */
	uint16_t size;
	uint64_t behind; /* address right behind the last descriptor's */
	union {          /* the rings as the guest writes them */
		struct fuzz_split_ring split;
		struct fuzz_packed_ring packed;
	};
};

uint64_t fuzz_take(struct fuzz_input *in, size_t bytes);
uint32_t fuzz_length(struct fuzz_input *in);
struct fuzz_desc fuzz_take_desc(struct fuzz_guest *g);

/* Make memory and ring. Returns a byte of the program, whose bits 4 to 6 are for the caller. */
uint8_t fuzz_guest_open(struct fuzz_guest *g, uint16_t dir, struct iovt_vring_conf *ring);

/* One write, sensible or not. */
void fuzz_guest_writes(struct fuzz_guest *g);

/* Ring entries that the back end has taken and not used; checked to be no more than there are. */
unsigned int fuzz_taken(const struct iovt_vring *vr);

#endif
