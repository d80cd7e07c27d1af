/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The record of a virtqueue (lib/inflight.h) in a file: DIR/SOCKET-HASH-VRING. It is there as long as the queue is,
 * and is still there when the process was killed, or has left the guest alone. All functions with the control lock
 * held, unless they say otherwise.
 */
#ifndef IOVTEE_INFLIGHT_FILE_H
#define IOVTEE_INFLIGHT_FILE_H

#include <stddef.h>
#include <stdint.h>

struct inflight_file;

/**
 * Open the record of a virtqueue, the one that a killed process has left or a new one of zeroes.
 *
 * @param dir made if it is not there; nobody else may have a key to it.
 * @param socket of the guest.
 * @param bytes of the record.
 * @param out set, unless 0 is not returned.
 * @return 0 or negative errno; -EBUSY: another process has it.
 */
int inflight_file_open(const char *dir, const char *socket, uint16_t vring, size_t bytes,
	struct inflight_file **out);

/** The record: bytes of shared memory, there until inflight_file_gone(). */
void *inflight_file_record(const struct inflight_file *f);

/** Have inflight_file_gone() called by a queue's release, and what was to be called then, too. */
void inflight_file_hook(struct inflight_file *f, void (**release)(void *ctx), void **ctx);

/** The queue was not made: close and unmap the record, and leave the file as it is. */
void inflight_file_close(struct inflight_file *f);

/** The guest has all back: nobody needs the file any more. Its record stays, until inflight_file_gone(). */
void inflight_file_remove(struct inflight_file *f);

/** The queue has nothing in hand, but its front end does not know where it is: leave the file for the next one. */
void inflight_file_leave(struct inflight_file *f);

/** The queue does not use the record any more, before or after inflight_file_remove() or _leave(). Any thread. */
void inflight_file_gone(void *f);

#endif
