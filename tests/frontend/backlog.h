/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that wait to be sent. A guest that stopped receiving while its transmit ring is full would wait for
 * ever for a switch that insists on delivering a packet before it looks at that ring.
 */
#ifndef BACKLOG_H
#define BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

/* More than all rings between here and the NIC hold. */
#define BACKLOG_MAX 8192

struct backlog_packet {
	struct backlog_packet *next;
	uint32_t len;
	uint8_t data[]; /* header included */
};

struct backlog {
	struct backlog_packet *first;
	struct backlog_packet *last;
	unsigned int nr;
};

/* A new last packet of len bytes, all 0, to be filled by the caller. */
struct backlog_packet *backlog_append(struct backlog *b, uint32_t len);
/* Drop the first one. */
void backlog_pop(struct backlog *b);
void backlog_clear(struct backlog *b);

#endif
