/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Live migration: what is written into guest memory is marked in the front end's dirty log, after it was
 * written. The front end reads the log for the last time when it has the reply to GET_VRING_BASE, so all
 * that counts is that a queue's marks are made before it is given back.
 *
 * The hot path is chosen by the control path: none of its functions looks at the log, other ones do.
 */
#ifndef IOVT_DIRTY_H
#define IOVT_DIRTY_H

#include "vring.h"

struct iovt_dirty_log {
	/* Any thread that uses the queue, until it is given back; must not block. NULL: nothing is logged. */
	void (*mark)(void *ctx, uint64_t gpa, uint64_t len);
	void *ctx;
};

/** Mark len bytes at va, which lie in one region of mem. Nothing, if nothing is logged. */
void iovt_dirty_mark(const struct iovt_dirty_log *log, const struct iovt_guest_mem *mem,
	const void *va, uint64_t len);

/** Mark the device area's notification wish, which the engine writes once. */
void iovt_dirty_mark_wish(const struct iovt_dirty_log *log, const struct iovt_vring *vr);

/** iovt_vq_publish(), with all marks for what it shows. */
bool iovt_dirty_publish(const struct iovt_dirty_log *log, struct iovt_vring *vr);

#endif
