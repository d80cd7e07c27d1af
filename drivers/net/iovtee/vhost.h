/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_iovtee_vhost: an ethdev that is the vhost-user port of one guest.
 *
 *   vhost_tx.c      the hot path to the guest    vhost_rx.c     the hot path from the guest
 *   vhost_borrow.c  the same without a copy      loan_pool.c    the mbufs for that
 *   vhost_args.c    devargs                      vhost_stats.c  counters
 *   vhost_driver.c  probe, remove, socket        vhost_events.c librte_vhost's callbacks
 *   vhost_message.c messages that are refused
 *   vhost_ops.c     ethdev operations            mapping*.c     queues on to the uplink and off
 *   vhost_queue.c   queues up and down           vhost_announce.c  RARP after a migration
 *   reply_time.c    how long a revocation takes  vhost_offload.c   packets with offload requests
 *   vhost_limit.c   the guest's MTU              vhost_loans.c     may it be without a copy?
 *   request.c       what the guest asks for      vhost_record.c    for the time after a crash
 *   vhost_ring.c    where its rings are          vhost_wait.c      for what is inside the switch
 *
 * In DPDK's words a Tx queue is what the switch sends to, that is the guest's receive virtqueue.
 */
#ifndef IOVTEE_VHOST_H
#define IOVTEE_VHOST_H

#include <sys/eventfd.h>
#include <sys/un.h>

#include <ethdev_driver.h>

#include "guest.h"
#include "inflight_file.h"
#include "loan_pool.h"
#include "mapping.h"
#include "offload.h"
#include "reply_time.h"
#include "request.h"
#include "rxq.h"
#include "txq.h"
#include "uplink.h"

#define VHOST_QUEUES_MAX 16 /* queue pairs of a guest */

/* Queues that the switch may use. Beyond the guest's, Tx queues share virtqueues, Rx queues are empty. */
#define VHOST_PORT_QUEUES_MAX 64
#define VHOST_PATH_MAX        sizeof(((struct sockaddr_un *)0)->sun_path)

/* The two virtqueues of queue pair i, as vhost-user numbers them. */
#define VHOST_VRING_RX(i) (2 * (i))     /* guest receives: our Tx queue */
#define VHOST_VRING_TX(i) (2 * (i) + 1) /* guest transmits: our Rx queue */

/* Sets of them: bit v for vring v. */
#define VHOST_ALL_VRINGS UINT32_MAX
static_assert(2 * VHOST_QUEUES_MAX <= 32, "vrings in a uint32_t");

struct vhost_port;

/* Where the notifications of a virtqueue go. */
struct vhost_call {
	int fd;       /* an eventfd, -1: away */
	bool pending; /* the guest asked for one while it was away */
};

static inline void
vhost_notify(struct vhost_call *c)
{
	if (c->fd >= 0)
		eventfd_write(c->fd, 1);
	else
		c->pending = true;
}

struct vhost_tx_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t zero_copy_packets;
	uint64_t copied_unbound;
	uint64_t copied_foreign;
	uint64_t copied_segments;
	uint64_t copied_moved;
	uint64_t copied_shared;
	uint64_t copied_offload;
	uint64_t csum_by_guest;
	uint64_t csum_in_software;
	uint64_t gso_packets;
	uint64_t segmented_packets;
	uint64_t dropped_segments;
	uint64_t dropped_no_buffer;
	uint64_t dropped_not_ready;
	uint64_t dropped_too_big;
	uint64_t dropped_mtu;
	uint64_t dropped_isolation;
	uint64_t dropped_offload;
};

struct vhost_txq;
struct vhost_rxq;

/* One batch of a burst, for one ring format. Returns how many packets are done with, in order. */
typedef uint16_t (*vhost_send_fn)(struct vhost_txq *q, struct rte_mbuf **pkts, uint16_t n);
typedef uint16_t (*vhost_receive_fn)(struct vhost_rxq *q, struct rte_mbuf **pkts, uint16_t n);

/* A receive virtqueue of the guest. Control changes it while all senders are gated out. */
struct vhost_txq {
	vhost_send_fn send; /* for the ring format and the features of rxq */
	struct vhost_call call;
	struct iovt_rxq *rxq; /* NULL while the guest's queue is not running */
	struct tee_pool *tee; /* of the mapped uplink queue, NULL: not mapped */
	struct rte_mempool *tee_mp;
	struct vhost_tx_stats stats;
	struct offload_takes takes; /* what the guest has negotiated */
	vhost_send_fn send_fitting; /* what vhost_limit.c has put itself before */
	uint32_t frame_max;         /* bytes of a frame without a VLAN tag */

	/* Control side. */
	struct vhost_port *port;
	uint16_t queue;
	bool error_logged;
	struct mapping map;
	struct inflight_file *record; /* of rxq, NULL: none */
	struct iovt_rxq_stats past;   /* of queues that are gone */
} __rte_cache_aligned;

/* A Tx queue of the port. More of them may be in use than the guest has virtqueues. */
struct vhost_sender {
	struct gate gate;
	struct vhost_txq *target; /* where it sends to: its own virtqueue, if that is running */
	const struct vhost_port *port;
} __rte_cache_aligned;

struct vhost_rx_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t no_mbuf; /* packets left in the ring for want of mbufs, counted at each poll */
	struct request_stats requests;
};

/* A transmit virtqueue of the guest, and the Rx queue of the port. Control changes it behind the gate. */
struct vhost_rxq {
	struct gate gate;
	vhost_receive_fn receive;        /* for the ring format and the features of txq */
	vhost_receive_fn receive_tagged; /* without the stripping of VLAN tags */
	bool announce; /* the next burst begins with a packet that tells where the guest is */
	struct vhost_call call;
	struct iovt_txq *txq;    /* NULL while the guest's queue is not running */
	struct loan_pool *loans; /* NULL: all packets are copied */
	struct rte_mempool *pool;
	uint64_t rearm;          /* data_off, refcnt, nb_segs, port of every received mbuf */
	uint32_t room;           /* bytes of a packet that one mbuf holds */
	unsigned int idle_polls; /* with loans out */
	bool copies;             /* although there are loans, some packets are copied, */
	bool all_copied;         /* or all of the last batch were */
	bool many_out;           /* more than half of the packets that may be out are */
	bool asks;               /* the guest may ask for checksums */
	struct request_rules rules;
	struct vhost_rx_stats stats;
	struct vhost_port *port;

	/* Control side. */
	uint16_t queue;
	bool set_up; /* by the application */
	bool error_logged;
	struct inflight_file *record; /* of txq, NULL: none */
	struct iovt_txq_stats past;   /* of queues that are gone */
} __rte_cache_aligned;

/* What of the guest's packets may be sent out of its memory: devarg tx-zero-copy. */
enum vhost_loans {
	VHOST_LOANS_OFF,     /* nothing: all is copied */
	VHOST_LOANS_PAYLOAD, /* what the switch does not look at */
	VHOST_LOANS_WHOLE,   /* all: the switch may rewrite them there */
};

/* What the guest may leave to the switch of the packets that it sends: devarg tx-offload. */
enum vhost_offers {
	VHOST_OFFERS_NOTHING,
	VHOST_OFFERS_CSUM, /* checksums */
	VHOST_OFFERS_TSO,  /* and segmentation */
};

/* Bytes before a packet in guest memory that the switch may use. */
enum vhost_headroom {
	VHOST_HEADROOM_AUTO,   /* as STRICT, for a switch that is not known to push headers */
	VHOST_HEADROOM_STRICT, /* those of the virtio-net header */
	VHOST_HEADROOM_GUEST,  /* RTE_PKTMBUF_HEADROOM: the guest's mbuf has them */
};

#define VHOST_STATE_OFF     "off"
#define VHOST_STATE_DEFAULT "/run/iovtee"

struct vhost_conf {
	char iface[VHOST_PATH_MAX];
	char state[VHOST_PATH_MAX]; /* a folder for records, or VHOST_STATE_OFF */
	bool client;
	uint16_t queues;
	char uplink[RTE_ETH_NAME_MAX_LEN]; /* empty: none */
	uint16_t rxq;
	bool has_mac;
	struct rte_ether_addr mac;
	int vlan; /* -1: none */
	bool trust;
	unsigned int reserve; /* percent */
	bool starve_nic;
	enum vhost_headroom headroom;
	enum vhost_loans loans;
	enum vhost_offers offers;
};

struct vhost_port {
	struct rte_eth_dev_data *data;
	struct vhost_conf conf;
	struct uplink *uplink; /* NULL: a plain vhost port */
	bool registered;       /* with librte_vhost */

	/* The guest. */
	int vid;          /* -1: no connection */
	bool running;     /* between new_device and destroy_device */
	bool has_memory;  /* rte_vhost_get_mem_table() is safe, and what it tells can be mapped */
	uint32_t paused;  /* inside a message that changes memory or rings: which vrings */
	bool masking;     /* inside a message that replaces a notification fd */
	bool acknowledge; /* inside a message: the front end waits for it */
	bool started;     /* by the application */
	bool enabled[2 * VHOST_QUEUES_MAX];
	uint64_t features;
	bool held_up; /* the last wait for what the switch holds was in vain */
	bool record_error_logged;
	uint16_t mtu; /* which the front end has told the guest, 0: none */
	struct guest *guest;
	struct rte_ether_addr announced; /* the guest's address, see vhost_rxq.announce */
	struct reply_time reply_time;
	uint64_t refused_messages;

	struct spread spread;

	struct vhost_sender sender[VHOST_PORT_QUEUES_MAX];
	struct vhost_txq txq[VHOST_QUEUES_MAX];
	struct vhost_rxq rxq[VHOST_PORT_QUEUES_MAX];
};

extern const struct eth_dev_ops vhost_ops;

static inline struct vhost_port *
vhost_of(const struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/** Has the guest negotiated this feature? */
static inline bool
vhost_has(const struct vhost_port *p, unsigned int bit)
{
	return p->features & (UINT64_C(1) << bit);
}

/** Parse and check devargs. @return 0, or -EINVAL (logged: key, value, remedy) */
int vhost_args_parse(const char *name, const char *args, struct vhost_conf *conf);

/* What an application says that takes packets with requests of the guest's (vhost_ops.c). */
bool vhost_takes_checksums(const struct vhost_port *p);
bool vhost_takes_large(const struct vhost_port *p);

/* vhost_events.c */

/** Open the port's socket. @return 0 or negative errno (logged). Not under the control lock. */
int vhost_listen(struct vhost_port *p);

/** Close it; a connected guest is disconnected first. Not under the control lock. */
void vhost_unlisten(struct vhost_port *p);

/* vhost_queue.c: with the control lock held */

/**
 * Bring every queue into the state that guest, messages, application and uplink allow now: the one
 * function behind all events.
 */
void vhost_sync(struct vhost_port *p);

/** Shut the data path out for a moment, to change virtqueues, and let it in again. */
void vhost_close_gates(struct vhost_port *p);
void vhost_open_gates(struct vhost_port *p);

/** Read the notification fds of running queues anew, or put them away (a message replaces them). */
void vhost_refresh_callfds(struct vhost_port *p);
void vhost_hide_callfds(struct vhost_port *p);

/** Let go of the guest's memory: after this, the next queue that comes up maps it anew. */
void vhost_drop_guest(struct vhost_port *p);

/* vhost_ring.c: with the control lock held */

/**
 * A virtqueue of the guest's, in our mapping of its memory.
 * @return 0; -EAGAIN: the front end has not placed it yet; -ENODEV, -EFAULT: it has, where no ring can be.
 */
int vhost_ring_conf(const struct vhost_port *p, uint16_t vring, struct iovt_vring_conf *c);

/** Bytes of the virtio-net header. */
uint8_t vhost_hdr_len(const struct vhost_port *p);

/** For live migration: librte_vhost has the log. */
struct iovt_dirty_log vhost_dirty_log(struct vhost_port *p);

/* vhost_loans.c: with the control lock held */

/**
 * May packets be sent out of the guest's memory? Only where the NIC reaches that, and its driver can be told to let
 * go of what it has sent; and, where headers are copied, if the switch takes packets in two pieces.
 */
bool vhost_may_borrow(const struct vhost_rxq *q);

/**
 * Is it known that the application gets along with the headroom that packets in guest memory have? One whose mbufs have
 * a private area (Open vSwitch) keeps its own packet structure there, and may push headers: it aborts where they do not fit.
 */
bool vhost_headroom_known(const struct vhost_conf *conf, struct rte_mempool *pool);

/** What a queue needs for that, if it may be, before it is made: into *c and q->loans. */
void vhost_make_loans(struct vhost_rxq *q, struct iovt_txq_conf *c);

/** It was not made. */
void vhost_drop_loans(struct vhost_rxq *q);

/* vhost_wait.c: with the control lock held */

/**
 * Wait for the guest's buffers and packets that the switch holds: a second at most, and 20 ms while the last wait was
 * in vain.
 * @return how many it still holds.
 */
unsigned int vhost_wait_for_lent(struct vhost_port *p, struct iovt_rxq *rxq);
unsigned int vhost_wait_for_borrowed(struct vhost_port *p, struct iovt_txq *txq);

/** 20 ms at most, since it may be the NIC's driver that keeps them. */
unsigned int vhost_wait_briefly_for_lent(const struct vhost_port *p, struct iovt_rxq *rxq);

/* vhost_record.c: with the control lock held */

/**
 * Open the record of a virtqueue that is about to be made, into *c.
 * @return NULL: none is kept, which is logged once if it could not be.
 */
struct inflight_file *vhost_open_record(struct vhost_port *p, uint16_t vring,
	const struct iovt_vring_conf *ring, size_t bytes, struct iovt_inflight_conf *c);

/** It was not made, and what an earlier process has left of it is kept. */
void vhost_drop_record(struct inflight_file **file);

/**
 * The queue has ended. Its record is removed, unless the application has stopped the port: nobody has told the front
 * end then where the queue is, and that of a packed ring cannot find out.
 *
 * @param out the guest's buffers that are still inside the switch. With some, the record is removed, since it
 *   changes when they come back.
 */
void vhost_end_record(const struct vhost_port *p, struct inflight_file **file, unsigned int out);

/** The queue was made, and so many buffers that a killed process had were given back. */
void vhost_report_resumed(const struct vhost_port *p, uint16_t queue, const char *direction,
	uint64_t buffers);

/* vhost_rx.c */
uint16_t vhost_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n);

/** Choose how batches come from the virtqueue q->txq. The poller gated out. */
void vhost_rx_set_receive(struct vhost_rxq *q);

/** Packets that wait in the guest's queue. The queue's own thread. */
iovtee_queue_count vhost_rx_queue_count(void *queue);

/** Set an Rx queue up for mbufs of pool. @return 0, or -EINVAL (logged): they hold no packet */
int vhost_rx_set_pool(struct vhost_rxq *q, struct rte_mempool *pool);

/* vhost_tx.c */

/** The function for batches to this queue. @param csum the guest takes DATA_VALID */
vhost_send_fn vhost_send_for(const struct iovt_rxq *rxq, bool csum);

uint16_t vhost_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n);

/** Count a delivery in *how. @return ret, or 0: a packet too large for the guest is dropped, and done with */
static inline int
vhost_account(struct vhost_txq *q, const struct rte_mbuf *m, int ret, uint64_t *how)
{
	if (likely(ret == 0)) {
		(*how)++;
		q->stats.packets++;
		q->stats.bytes += m->pkt_len;
	} else if (ret == -EMSGSIZE) {
		q->stats.dropped_too_big++;
		ret = 0;
	}
	return ret;
}

/* vhost_offload.c */

/**
 * Deliver a packet with one of OFFLOAD_ANY, inside a burst.
 *
 * @param own it lies in a buffer of this queue, and may be delivered there.
 * @param copy_reason the counter for it, if it is copied.
 * @return 0: done with it (delivered, or dropped and counted); -ENOBUFS: the guest has no room now;
 *   -EPROTO: its ring is broken.
 */
int vhost_offload_deliver(struct vhost_txq *q, struct rte_mbuf *m, bool own, uint64_t *copy_reason);

/* vhost_limit.c */

/** Let send do the sending; to a guest that was told an MTU, only what that allows. Senders gated out. */
void vhost_limit_frames(struct vhost_txq *q, vhost_send_fn send);

/** May the guest be sent a frame of len bytes that begins like this? A VLAN tag is not part of its MTU. */
bool vhost_within_mtu(const struct vhost_txq *q, uint32_t len, const void *frame);

/* vhost_announce.c */

/**
 * The front end asks to tell the network where the guest is (SEND_RARP), since the guest cannot. With the
 * control lock held.
 *
 * @param mac the message's payload.
 */
void vhost_announce(struct vhost_port *p, uint64_t mac);

/** Make that packet. @return 1, or 0 if there is no mbuf now. The queue's poller, in its gate. */
uint16_t vhost_receive_announcement(struct vhost_rxq *q, struct rte_mbuf **pkt);

/* vhost_stats.c */
int vhost_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats IOVTEE_QUEUE_STATS_PARAM);
int vhost_stats_reset(struct rte_eth_dev *dev);
int vhost_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names,
	unsigned int size);
int vhost_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int size);

#endif
