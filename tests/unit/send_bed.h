/* SPDX-License-Identifier: BSD-3-Clause */
/* A test bed for the other direction: a guest that sends, and the engine's queue that takes. */
#ifndef SEND_BED_H
#define SEND_BED_H

#include "bed.h"
#include "transmit.h"

/* Bytes of a packet that the taker has room for in one piece, if a test does not say otherwise. */
#define SEND_ROOM 2048u

struct send_packet {
	uint32_t len;
	bool pieced;
	bool borrowed;
	uint16_t id;   /* if borrowed */
	uint8_t *data; /* a copy, if not borrowed */
	struct iovt_vnet_hdr hdr;
};

struct send_bed {
	struct fake_guest guest;
	struct iovt_dirty_log log;
	void *record; /* see bed_conf */
	struct iovt_txq *q;
	struct send_packet got[SIZE_MAX_TESTED];
	unsigned int nr_got;
	uint32_t room;
	unsigned int refuse; /* so many packets find no room, if they are in pieces or copied */
	unsigned int drop;   /* every so-manieth packet is dropped, 0: none */
	unsigned int seen;   /* packets looked at, dropped ones included */
	uint16_t borrow_max; /* 0: all are copied */
	struct iovt_tx_reads reads;
	unsigned int released;
	struct iovt_txq_stats last; /* of a queue that was closed */
	struct iovt_vring_end end;
};

struct send_bed *send_bed_new(const struct bed_conf *conf);
void send_bed_free(struct send_bed *b);
void send_bed_open(struct send_bed *b, uint16_t last_avail, uint16_t last_used);
/* Returns how many packets are still out; the bases are stored. */
unsigned int send_bed_close(struct send_bed *b, uint16_t *last_avail, uint16_t *last_used);

/* Take up to n packets, but show nothing to the guest. Returns how many came. */
unsigned int send_bed_take(struct send_bed *b, unsigned int n);
/* Take one, as one that is not in one descriptor. */
int send_bed_take_chain(struct send_bed *b);
/* Up to n packets as one burst of a switch. */
unsigned int send_bed_burst(struct send_bed *b, unsigned int n);
/* The k-th packet that came is packet seq of len bytes. */
void send_bed_expect(const struct send_bed *b, unsigned int k, uint64_t seq, uint32_t len);
/* Forget what came; what was borrowed is returned by the test. */
void send_bed_forget(struct send_bed *b);
/* The k-th packet that came, which was borrowed, goes back. */
void send_bed_return(struct send_bed *b, unsigned int k);

#endif
