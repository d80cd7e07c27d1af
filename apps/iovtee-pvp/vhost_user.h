/* SPDX-License-Identifier: BSD-3-Clause
 * As much of vhost-user as it takes to set one queue pair up. Control thread. All return 0, or a negative errno whose
 * cause has been told.
 */
#ifndef PVP_VHOST_USER_H
#define PVP_VHOST_USER_H

#include <stdint.h>

#include "link.h"

/* The guest's memory, part of a file; guest addresses are the addresses here. */
struct vhost_user_memory {
	void *address;
	uint64_t size;
	uint64_t offset; /* in the file */
	int fd;
};

/* Parts of a split ring. */
struct vhost_user_ring {
	uint32_t size;
	void *desc;
	void *avail;
	void *used;
	int kick; /* eventfds */
	int call;
};

/* Connect to a back end that listens on `path`, and agree on exactly these features, which it must offer. */
int vhost_user_connect(struct link *l, const char *path, uint64_t features);

int vhost_user_set_memory(struct link *l, const struct vhost_user_memory *memory);
int vhost_user_start_ring(struct link *l, uint32_t index, const struct vhost_user_ring *ring);

#endif
