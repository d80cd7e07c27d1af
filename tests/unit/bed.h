/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A test bed: a fake guest, the engine's queue over its memory, and a device that fills lent buffers.
 * Bodies are written once and run for every ring format, and for every ring size where asked.
 */
#ifndef BED_H
#define BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "complete.h"
#include "copy.h"
#include "fake_guest.h"
#include "fake_nic.h"
#include "rxq.h"

#define NIC_MAX 1526u
/* The smallest buffer that a NIC may fill. */
#define BUF_MIN         (12 + NIC_MAX)
#define SIZE_MAX_TESTED 1024
/* Whose record it is. */
#define BED_OWNER 0x600d

struct bed_conf {
	const struct fake_format *format;
	uint16_t size;
	uint16_t start;    /* first ring index */
	uint16_t lend_max; /* 0: as many as the ring has */
	uint8_t hdr_len;
	bool mergeable;
	bool event_idx;
	bool one_view;
	struct iovt_dirty_log log;
	void *record; /* of the queue, in memory that outlives it; NULL: none */
};

struct bed {
	struct bed_conf conf;
	struct fake_guest guest;
	struct iovt_rxq *q;
	unsigned int released;     /* how often the queue's release was called */
	unsigned int queues;       /* how many were opened */
	struct iovt_vring_end end; /* of the queue that was closed last */
	struct fake_packet packet;
};

struct bed *bed_new(const struct bed_conf *conf);
/* Closes the queue if it is still open, and checks that all was released. */
void bed_free(struct bed *b);

void bed_open(struct bed *b, uint16_t last_avail, uint16_t last_used);
/* close, give_back, put. Returns how many buffers are late; the bases are stored. */
unsigned int bed_close(struct bed *b, uint16_t *last_avail, uint16_t *last_used);

/* Where the queue goes on in the ring, as SET_VRING_BASE has it. */
uint16_t bed_avail(const struct iovt_rxq *q);

/* Every harvested buffer is accounted for, and the queue's own tables agree with its counters. */
void bed_check_accounts(const struct iovt_rxq *q);
void bed_check_given_back(const struct iovt_rxq_stats *s);

/* The NIC writes frame seq of len bytes into a lent buffer, through its IO virtual address. */
void bed_nic_fill(const struct bed *b, const struct iovt_buf *buf, uint64_t seq, uint32_t len);
/* Complete a lent buffer as frame seq, within a burst. */
bool bed_complete(struct bed *b, const struct iovt_buf *buf, uint64_t seq, uint32_t len);
/* The same as a burst of its own, fill included. */
void bed_deliver(struct bed *b, const struct iovt_buf *buf, uint64_t seq, uint32_t len);
/* Copy frame seq, within a burst. */
int bed_copy(struct bed *b, uint64_t seq, uint32_t len);
/* The same as a burst of its own. */
int bed_copy_burst(struct bed *b, uint64_t seq, uint32_t len);
/* The guest finds frame seq next. Returns its first id. */
uint16_t bed_expect(struct bed *b, uint64_t seq, uint32_t len);
/* The guest finds a buffer of length 0 next. */
uint16_t bed_expect_flushed(struct bed *b);
void bed_expect_nothing(struct bed *b);
/* Reclaim lent buffers. */
void bed_reclaim(struct bed *b, const struct iovt_buf *bufs, unsigned int n);

/* The ring is broken, counted once, and no later call does anything. */
void bed_expect_broken(struct bed *b);

struct unit_case {
	const char *name;
	void (*body)(const struct bed_conf *conf);
	bool every_size; /* sizes 2 to 1024, each from index 0 and across the wrap of the index */
};

/* Run the cases for every ring format; the result is main's. */
int unit_run(const char *subject, const struct unit_case *cases, unsigned int nr);

#endif
