/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory, mapped by us.
 *
 * librte_vhost unmaps guest memory on SET_MEM_TABLE and disconnect while buffers may still point into it,
 * so this is a mapping of our own, made known to the uplink's IOMMU, which lives until the last buffer is
 * back. All functions with the control lock held, unless they say otherwise.
 */
#ifndef IOVTEE_GUEST_H
#define IOVTEE_GUEST_H

#include <rte_dev.h>

#include "guest_mem.h"

struct guest;

/**
 * Has a guest's file size bytes from offset on? Access to what it does not have kills the switch (SIGBUS). Any thread,
 * without the control lock.
 */
bool guest_file_holds(int fd, uint64_t offset, uint64_t size);

/**
 * Map the memory that vhost device vid has now.
 *
 * @param dma the device that shall reach it, NULL: none.
 * @return the guest, or NULL (logged).
 */
struct guest *guest_create(int vid, struct rte_device *dma);

/** Let go: unmapped when the last queue that uses it has let go too. */
void guest_put(struct guest *g);

/** The snapshot for the engine. */
struct iovt_guest_mem *guest_mem(struct guest *g);

/** Can the device given to guest_create reach the memory? */
bool guest_dma_ok(const struct guest *g);

/** Our address for librte_vhost's address p of len bytes, NULL if it is not in the guest's memory. */
void *guest_translate(const struct guest *g, const void *p, size_t len);

/**
 * The device could not be stopped, and would go on writing: without its mappings, it cannot reach the memory, if there
 * is an IOMMU. guest_dma_ok() is false from then on.
 */
void guest_cut_off(struct guest *g);

/** A number for the place at p, in our mapping: the file that this memory is, and where in it. */
uint64_t guest_place(const struct guest *g, const void *p);

/** The device goes away: take every mapping off it now. */
void guest_forget_device(const struct rte_device *dma);

#endif
