/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest that writes its memory and its split ring as the fuzzer's bytes say. */
#ifndef FUZZ_GUEST_H
#define FUZZ_GUEST_H

#include "fake_mem.h"
#include "vring_split.h"

#define FUZZ_RING_MAX       32
#define FUZZ_OPERATIONS_MAX 2000

/* The program, read as it is needed; zeros follow its end. */
struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

struct fuzz_guest {
	struct fuzz_input in;
	struct fake_mem mem;
	struct vring_desc *desc; /* the rings as the guest writes them */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t dir; /* IOVT_TO_GUEST or IOVT_FROM_GUEST */
	uint16_t size;
	uint16_t avail_idx;
};

uint64_t fuzz_take(struct fuzz_input *in, size_t bytes);
uint32_t fuzz_length(struct fuzz_input *in);

/* Make memory and ring. Returns a byte of the program, whose bits 4 to 6 are for the caller. */
uint8_t fuzz_guest_open(struct fuzz_guest *g, uint16_t dir, struct iovt_vring_conf *ring);

/* One write, sensible or not. */
void fuzz_guest_writes(struct fuzz_guest *g);

#endif
