/* SPDX-License-Identifier: BSD-3-Clause */
/* A test bed for a vhost port's receive queue with loans: a guest that sends, and a switch that takes and frees. */
#ifndef LOAN_BED_H
#define LOAN_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake_guest.h"
#include "vhost_rx.h"

#define SIZE   64
#define HDR    12
#define LEN    1500u
#define CREDIT (SIZE / 2)

extern struct rte_mempool *app_pool;
extern struct vhost_port port;
extern unsigned int reaped; /* times that the uplink, of which there is none, was asked to reap */

struct bed {
	struct fake_guest guest;
	struct vhost_rxq q;
	char pool[RTE_MEMPOOL_NAMESIZE];
	struct rte_mbuf *pkts[SIZE];
};

/* How the mbufs are, and the guest's ring. */
struct kind {
	const struct fake_format *format;
	bool headers;
};

/* A first packet, of LEN bytes, came and went. */
struct bed *open_bed(const struct kind *kind);
/* The queue goes; returns how many packets are out then. */
unsigned int close_queue(struct bed *b);
/* The loan pool, too: far more time than it takes; and not, some sweeps long. */
bool pool_goes(const struct bed *b);
bool pool_stays(const struct bed *b);
void close_bed(struct bed *b);

/* Packets seq, seq + 1 .. of len bytes, one descriptor each. */
void send_packets(struct bed *b, uint64_t seq, unsigned int n, uint32_t len);
void expect_packet(const struct rte_mbuf *m, uint64_t seq, uint32_t len);
/* The same, of LEN bytes, as the switch gets them. */
void take(struct bed *b, uint64_t seq, unsigned int n);
/* The guest has so many packets back, and no more. */
void expect_back(struct bed *b, unsigned int n);
struct rte_mbuf *loan_in(struct rte_mbuf *m, const struct kind *kind);

/* Of all kinds. */
void run_kinds(void (*body)(const struct kind *kind));

/* Of a group of tests. */
int start_beds(void **state);
int end_beds(void **state);

#endif
