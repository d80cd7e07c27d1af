/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_iovtee_uplink: an ethdev that wraps one physical ethdev.
 *
 * Control operations pass through (uplink_ops.c). What it adds is a gate before each queue, so that
 * a queue can be rebuilt or flushed while it is polled (uplink_queue.c), and, on mapped Rx queues,
 * packets that lie in guest memory (uplink_rxtx.c). Offloads that the NIC has not got are made here (uplink_finish.c).
 */
#ifndef IOVTEE_UPLINK_H
#define IOVTEE_UPLINK_H

#include <ethdev_driver.h>

#include "../compat.h"
#include "gate.h"
#include "loan_pool.h"
#include "tee_pool.h"

#define UPLINK_QUEUES_MAX 64

struct uplink;
struct vhost_txq;

/* What to do with the packets of a mapped queue. Set by the control path under the gate. */
struct uplink_steer {
	/* The guest's address, in the upper 48 bits as a little-endian load has it. */
	uint64_t mac_word;
	bool exclusive; /* trust=0: anything else that arrives proves that steering fails */
};

struct uplink_rxq {
	struct gate gate;
	uint16_t phys_port;
	uint16_t queue;
	uint16_t port;    /* the wrapper's, for mbuf->port */
	uint16_t hdr_len; /* headroom of a bound packet in strict mode */
	uint16_t (*burst)(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n);
	struct tee_pool *tee;
	struct uplink_steer steer;
	bool missteered; /* data path to control: see exclusive */

	uint64_t starved_seen; /* the tee pool's `starved` when packets were last reaped for it */
	uint64_t bound_packets;
	uint64_t host_packets;
	uint64_t debound_packets;

	/* Control side. */
	struct uplink *uplink;
	struct vhost_txq *mapped;     /* the guest queue that this queue belongs to */
	struct rte_mempool *app_pool; /* given by the application */
	struct rte_mempool *tee_pool; /* in app_pool's place while claimed */
	struct rte_eth_rxconf conf;
	uint16_t app_desc; /* ring size that the application asked for */
	uint16_t desc;     /* ring size that the physical queue has now */
	unsigned int socket;
	bool needs_full_ring; /* the driver does not start with a short one */
	bool keeps_posted; /* the driver gives no buffer back but when the queue is set up again */
	bool gives_posted; /* it has been seen to give all back at queue stop */
} __rte_cache_aligned;

struct uplink_txq {
	struct gate gate;
	uint16_t phys_port;
	uint16_t queue;
	bool loans;    /* packets in guests' memory have been sent: their sender takes the lock */
	bool reapable; /* the physical queue runs; under the lock */
	uint32_t uncleaned;    /* packets sent since the driver was last asked to let go of some */
	struct iovt_lock lock; /* the physical queue, which others may reap */
	const struct rte_device *dma;
	uint64_t finish;   /* RTE_MBUF_F_TX_*: packets with one of these are looked at here */
	uint64_t undone;   /* of these, what the NIC does not do at all */
	uint16_t segs_max; /* segments of a packet that it cuts */
	struct rte_mempool *pool; /* the application's, for packets that are changed or cut here */
	uint64_t isolation_drops;
	uint64_t copy_drops;
	uint64_t csum_in_software;
	uint64_t segmented_packets;
	uint64_t dropped_segments;
	uint64_t dropped_offload;
} __rte_cache_aligned;

struct uplink {
	struct rte_eth_dev_data *data;
	uint16_t phys_port;
	uint16_t max_frame; /* devarg */
	bool own_phys;      /* dev(...): created by us, removed by us */
	bool own_memory; /* the driver receives into memory beside its mbufs, wherever they point */
	bool started;
	bool keeps_buffers; /* posted ones, whatever is done to port and queue */
	bool keeps_reta;    /* seen: a restart of the physical port leaves the RSS table as it is */
	struct rte_eth_dev_owner owner;
	struct uplink_rxq *rxq[UPLINK_QUEUES_MAX];
	struct uplink_txq *txq[UPLINK_QUEUES_MAX];
	struct iovt_lock reap_lock; /* whoever reaps, and whoever takes one of txq away */
	/* Which guest queue wants which Rx queue: set before the queue is set up, or after. */
	struct vhost_txq *claim[UPLINK_QUEUES_MAX];
	/* Tee pools outlive a queue's set-up, as buffers may still be in the NIC or the switch. */
	struct {
		struct rte_mempool *pool;
		const struct rte_mempool *like;
	} tee[UPLINK_QUEUES_MAX];
	unsigned int tee_serial; /* for pool names */
};

extern const struct eth_dev_ops uplink_ops;

static inline struct uplink *
uplink_of(const struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* Names of such ports begin with it. */
#define UPLINK_DRIVER "net_iovtee_uplink"

/** The uplink of this name, or NULL. With the control lock held. */
struct uplink *uplink_find(const char *name);

/* uplink_driver.c */
int uplink_close(struct rte_eth_dev *dev);

/* uplink_rxtx.c */
uint16_t uplink_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t uplink_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t uplink_rx_plain(struct uplink_rxq *q, struct rte_mbuf **pkts, uint16_t n);

/** The burst function for a mapped queue. @param strict headroom=strict */
uint16_t (*uplink_rx_mapped_fn(bool strict, bool any_unicast))(struct uplink_rxq *q,
	struct rte_mbuf **pkts, uint16_t n);

/** Let the NIC have n packets, as many as it takes, which may lie in guests' memory. @return how many it took */
uint16_t uplink_send(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n);

/* uplink_finish.c */

/* Offloads that the port has whether or not the NIC has them. */
#define UPLINK_SOFT_OFFLOADS                                                                       \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |                            \
		RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO)

/** See what is left to do for a queue with these offloads, of a NIC that can do what info says. Control thread. */
void uplink_finish_init(struct uplink_txq *q, uint64_t offloads,
	const struct rte_eth_dev_info *info);

/** The port starts: packets that are changed or cut are copied to mbufs of the application's. Control thread. */
void uplink_finish_start(struct uplink *up);

/** Checksums that the NIC does not make. @return how many packets are left; others were dropped, and counted */
uint16_t uplink_finish(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n);

/** As uplink_send(), and what the NIC cannot cut is cut. */
uint16_t uplink_send_cut(struct uplink_txq *q, struct rte_mbuf **pkts, uint16_t n);

/** What rte_eth_tx_prepare() does for the NIC, where it is the NIC's to do. */
uint16_t uplink_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t n);

/* uplink_queue.c: all on the control path, with the control lock held. */

int uplink_rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t desc,
	unsigned int socket, const struct rte_eth_rxconf *conf, struct rte_mempool *mp);
void uplink_rx_queue_release(struct rte_eth_dev *dev, uint16_t queue);
int uplink_tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t desc,
	unsigned int socket, const struct rte_eth_txconf *conf);
void uplink_tx_queue_release(struct rte_eth_dev *dev, uint16_t queue);

/**
 * Take every posted buffer back from the NIC and post afresh from the queue's pool, with a ring of
 * desc entries if the driver allows that. By queue stop/start where the driver has it and gives its
 * buffers back then, else by port stop/start. The queue is gated by the caller.
 */
int uplink_rxq_flush(struct uplink_rxq *q, uint16_t desc);

/** Give the queue a tee pool in place of the application's. Ungated, polled or not. */
int uplink_rxq_use_tee(struct uplink_rxq *q);

/**
 * Bytes of a frame that one of the queue's mbufs holds while it is claimed. A NIC driver tells its NIC the size of the
 * pool's data rooms, and the NIC writes no more than that. The queue has a pool.
 */
static inline uint16_t
uplink_rxq_frame_max(const struct uplink_rxq *q)
{
	return RTE_MIN(q->uplink->max_frame,
		rte_pktmbuf_data_room_size(q->app_pool) - RTE_PKTMBUF_HEADROOM);
}

/** Give the queue the application's pool back. */
void uplink_rxq_use_app_pool(struct uplink_rxq *q);

/** dev_start of the physical port, posting guest buffers. */
int uplink_phys_start(struct uplink *up);
int uplink_phys_stop(struct uplink *up);

/** Free the tee pools: after the physical port was closed. */
void uplink_free_tees(struct uplink *up);

/* uplink_reap.c */

/**
 * Free the packets in guests' memory that the NIC has sent: their guests wait for them. Any thread, not with
 * the lock of a guest's queue held.
 */
void uplink_reap(struct uplink *up);

/** The same for the uplink of this device, if there is one. With the control lock held. */
void uplink_reap_device(const struct rte_device *dma);

/** Let that happen, or not, while the physical port or queue runs. With the control lock held. */
void uplink_allow_reaping(struct uplink *up, bool allow);
void uplink_txq_allow_reaping(struct uplink_txq *q, bool allow);

/** Can the NIC's driver do it? Control thread. */
bool uplink_can_reap(const struct uplink *up);

/** Does the application send packets in several segments through it? Control thread. */
bool uplink_takes_segments(const struct uplink *up);

/* uplink_stats.c */
int uplink_xstats_get_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names,
	unsigned int size);
int uplink_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int size);
int uplink_xstats_reset(struct rte_eth_dev *dev);
int uplink_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats IOVTEE_QUEUE_STATS_PARAM);
int uplink_stats_reset(struct rte_eth_dev *dev);

/* uplink_flow.c */
int uplink_flow_ops_get(struct rte_eth_dev *dev, const struct rte_flow_ops **ops);

#endif
