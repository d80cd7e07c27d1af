/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software physical/virtual Rx queue mapping (IEEE TNSM 18(1), 2021): which uplink Rx queue belongs to
 * which guest queue, whether zero-copy is on there, and if not, why.
 *
 * A claim is made when the guest's port is created, and lasts as long as both ports. The mapping is on
 * while guest and uplink both run. All with the control lock held, unless noted.
 */
#ifndef IOVTEE_MAPPING_H
#define IOVTEE_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

struct iovt_rxq;
struct rte_device;
struct rte_flow;
struct tee_pool;
struct uplink;
struct uplink_rxq;
struct vhost_port;
struct vhost_txq;

/* Why zero-copy is not on. Numbers are stable: xstat map_reason. */
enum map_reason {
	MAP_ON = 0,
	MAP_PLAIN = 1,
	MAP_NO_GUEST = 2,
	MAP_UPLINK_DOWN = 3,
	MAP_UPLINK_GONE = 4,
	MAP_NO_MAC = 5,
	MAP_SHARED_QUEUE = 6,
	MAP_NO_STEERING = 7,
	MAP_MISSTEERED = 8,
	MAP_BUFFERS = 9,
	MAP_DMA = 10,
	MAP_QUEUE = 11,
	MAP_RING = 12,
	MAP_FEW_QUEUES = 13,
	MAP_OWN_MEMORY = 14,
	MAP_DRIVER = 15,
	MAP_HEADROOM = 16,
};

struct mapping {
	enum map_reason reason;
	struct uplink_rxq *uq; /* NULL while off */
	unsigned int top_ups;  /* how often a late guest was looked at, see mapping.c */
};

/* trust=0: which of a guest's queues are mapped is decided for all of them together. */
struct spread {
	struct rte_flow *rule; /* sends this guest's frames, and no others, to `steered` */
	uint32_t steered;      /* queues, bit i for guest queue i */
	uint32_t ready;        /* queues that could be mapped when that was decided last */
	bool parked;           /* the rule is out while the uplink restarts */
	bool missteered;       /* seen to fail: off until the port is created anew */
};

/* mapping_reason.c */

/** The reason as a sentence for people. Any thread. */
const char *mapping_reason_text(enum map_reason reason);

/** The reason now, including what only shows under traffic. */
enum map_reason mapping_reason(const struct vhost_txq *q);

/* mapping_claim.c */

/**
 * Claim the uplink queues of a port.
 * @return 0; -ERANGE, -EBUSY: logged.
 */
int mapping_claim(struct vhost_port *p);
void mapping_unclaim(struct vhost_port *p);

/** The uplink queue of a guest queue; NULL: none was claimed, or it is not set up. */
struct uplink_rxq *mapping_claimed_queue(const struct vhost_txq *q);

/** Largest number of bytes that the uplink's NIC may write for one frame; 0 for a plain port. */
uint32_t mapping_nic_max(const struct vhost_txq *q);

/** The device that must reach the guest's memory, NULL for a plain port. */
struct rte_device *mapping_dma_device(const struct vhost_port *p);

/** An uplink queue is about to be freed. */
void mapping_queue_released(struct vhost_txq *q, const struct uplink_rxq *uq);

/** The guest's queue, which runs, was made when the uplink was not yet there, or its queue not set up. */
bool mapping_guest_is_older(const struct vhost_txq *q);

/** Stop and start all queues of a guest, and map its memory anew. */
void mapping_restart_guest(struct vhost_port *p);

/** An uplink is there, set up as far as a new port is: guests' ports that wait for it are its ports now. */
void mapping_uplink_came(struct uplink *up);

/**
 * For a port that is about to start, and has not got its queues of an uplink that is there.
 * @return 0, also if there is nothing to claim; -ERANGE, -EBUSY: logged.
 */
int mapping_claim_late(struct vhost_port *p);

/** The uplink's physical port is about to go away. */
void mapping_uplink_gone(struct uplink *up);

/* mapping.c */

/** Set a claimed queue's new tee pool to its port's policy. */
void mapping_init_tee(const struct vhost_txq *q, const struct uplink_rxq *uq);

/** The queue that is claimed, if any, gets host buffers from now on: it is not mapped. */
void mapping_feed(const struct vhost_txq *q);

/** What stands against mapping a queue whose virtqueue runs, steering aside. */
enum map_reason mapping_check(const struct vhost_txq *q);

/** Lend the buffers of the guest's queue rxq, which is not closed, to the NIC, if that is possible. */
void mapping_on(struct vhost_txq *q, struct iovt_rxq *rxq);

/** The queue, which is off, stays so, and why: its uplink queue is fed with host buffers. */
void mapping_refuse(struct vhost_txq *q, enum map_reason reason);

/** Stop that, and take every buffer back from the NIC. */
void mapping_off(struct vhost_txq *q);

/**
 * Uplink queues of virtqueues that the guest leaves unused, while it uses others, must not starve: their
 * packets are copied. After any of the port's virtqueues came or went.
 */
void mapping_feed_unused(struct vhost_port *p);

/** The uplink's physical port has started / is about to stop. */
void mapping_uplink_started(struct uplink *up);
void mapping_uplink_stopping(struct uplink *up);

/** From the data path: a frame in an exclusive queue was not for its guest. Any lcore. */
void mapping_report_missteered(struct uplink_rxq *uq);

/** No deferred work on the port's queues is under way any more. Not under the control lock. */
void mapping_cancel_deferred(struct vhost_port *p);

/* mapping_spread.c */

/** Map as many queues of an untrusted guest as the NIC can spread its frames over. After any change. */
void mapping_spread(struct vhost_port *p);

/** The guest's frames go elsewhere from now on: before all of its queues are taken off. */
void mapping_gather(struct vhost_port *p);

#endif
