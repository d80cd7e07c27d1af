/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user front end with a guest of its own, for tests: it sends any message at any time, and its
 * guest checks what a guest can check of a back end. One thread: the guest goes on between commands, and
 * while a message's reply is waited for.
 */
#ifndef FRONTEND_H
#define FRONTEND_H

#include "backlog.h"
#include "fake_guest.h"
#include "link.h"
#include "memory.h"

#define PAIRS_MAX  16
#define VRINGS_MAX (2 * PAIRS_MAX)

/* VRING_RX: towards the guest. */
#define VRING_RX(pair) (2 * (pair))
#define VRING_TX(pair) (2 * (pair) + 1)

#define PROTOCOL_MQ        0
#define PROTOCOL_LOG_SHMFD 1
#define PROTOCOL_REPLY_ACK 3
#define PROTOCOL_NET_MTU   4

struct guest_conf {
	const struct fake_format *format;
	unsigned int pairs;
	unsigned int regions;
	uint16_t size;
	bool mergeable;
	bool indirect;
	bool event_idx;
	bool version_1; /* no: 10 bytes of header, if not mergeable */
	bool guest_csum;
	bool guest_tso;       /* takes large packets, for which it needs guest_csum */
	bool csum;            /* may leave checksums to the device, */
	bool tso;             /* and segmentation, of what command "send" sends */
	bool any_num_buffers; /* see fake_guest.h */
	bool swap;            /* send packets back with addresses exchanged */
	bool sleep;           /* wait to be notified; no: look all the time, and ask for silence */
	uint32_t layouts;     /* bits of enum fake_layout: how packets are received and sent */
	uint32_t len_min;     /* of a receive buffer, header included */
	uint32_t len_max;
	uint16_t headroom; /* bytes before a buffer that the back end may use */
	uint16_t mtu;      /* which the guest is told; 0: none */
};

struct virtq {
	struct fake_guest g;
	int kick;
	int call;
	bool started;
	bool lost;       /* its back end has gone, and was not asked where the ring is */
	uint16_t told;   /* base, to the back end */
	uint64_t frozen; /* digest of what is its own in memory, when it was stopped */
	uint64_t notified;
};

struct guest_stats {
	uint64_t received;
	uint64_t sent;
	uint64_t flushed;  /* buffers that came back empty */
	uint64_t too_long; /* received, but more than one buffer can send */
	uint64_t large;    /* received, to be cut */
	uint64_t merged;   /* received in several buffers */
	uint64_t kicks;
	uint64_t notified; /* by the back end */
	uint64_t sleeps;
	uint64_t lost_wakeups; /* slept, though there was something to do */
	uint64_t waited_ns;    /* for the last reply to GET_VRING_BASE */
};

struct log {
	uint8_t *map;
	size_t size;
	bool checking;
	uint64_t checked; /* pages */
	uint64_t missing; /* of these, written by the back end but not marked */
	uint64_t late;    /* marked, but after the guest could see the buffer */
	uint64_t first_missing;
};

struct frontend {
	struct link link;
	struct guest_conf conf;
	struct guest_memory memory;
	bool set_up;
	uint64_t offered; /* features, by the back end */
	uint64_t features;
	uint64_t protocol;
	struct virtq vring[VRINGS_MAX];
	struct guest_stats stats;
	bool running; /* the guest takes packets, and sends them back */
	bool posting; /* it offers buffers to receive into */
	uint64_t rng;
	struct backlog backlog[PAIRS_MAX]; /* received, to be sent back */
	struct fake_packet packet;         /* as it is received */
	struct log log;
};

/* queues.c: false on failure, with the reason in link.error. */
void queues_init(struct frontend *f);
void queues_fini(struct frontend *f);
bool negotiate(struct frontend *f, uint64_t extra_features);
/* Tell the back end what the guest is told, from now on. */
bool set_mtu(struct frontend *f, uint16_t mtu);
bool set_addr(struct frontend *f, unsigned int v);
/* resume: where it was stopped; else the driver starts over, as after a device reset. */
bool start_vring(struct frontend *f, unsigned int v, bool resume);
bool stop_vring(struct frontend *f, unsigned int v);
bool enable_vring(struct frontend *f, unsigned int v, bool on);
/* The vring's memory is as it was when it was stopped. */
void check_frozen(const struct frontend *f, unsigned int v);

/* driver.c */
void driver_init(struct frontend *f);
/* The vring has new, empty rings: say how to notify, offer buffers. */
void driver_start(struct frontend *f, unsigned int v);
/* One turn of all queues. Returns whether there was anything to do. */
bool driver_step(struct frontend *f);
/* Nothing to do: wait until notified, or for input at fd. */
void driver_rest(struct frontend *f, int fd);
/* Take what was used of the vring. Returns whether there was anything. */
bool driver_drain(struct frontend *f, unsigned int v);
/* All that was used has been taken, and the guest will be notified of more. */
void driver_fall_asleep(struct frontend *f, unsigned int v);
void driver_count_notifications(struct frontend *f);

/* dirty.c */
bool log_start(struct frontend *f);
bool log_stop(struct frontend *f);
void log_check(const struct fake_guest *g, const struct fake_chain *c, uint32_t len);

/* commands.c: carry out one line, print one line. */
void command(struct frontend *f, char *line);

#endif
