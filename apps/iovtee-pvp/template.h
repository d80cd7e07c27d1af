/* SPDX-License-Identifier: BSD-3-Clause
 * Devargs of a port from the templates of a datapath, see spec.h.
 */
#ifndef PVP_TEMPLATE_H
#define PVP_TEMPLATE_H

#include <stddef.h>

#include <rte_ether.h>

/* Entries of the NF's rings, and the logarithm of that. */
#define VIRTQUEUE_SIZE 256
#define VIRTQUEUE_LOG2 8

/* What the words of a template stand for. */
struct words {
	char datapath[12];
	char nf[24];
	char queues[12];
	char queue[12];
	char socket[108]; /* sizeof(sun_path) */
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
};

/* -E2BIG if the result would not fit; it is never cut. */
int template_expand(char *out, size_t size, const char *template, const struct words *w);

#endif
