/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EMUNIC_H
#define EMUNIC_H

/*
 * The emulated NIC. Three parties share these structures:
 *
 *   driver   rxtx.c, on the lcore that polls a queue; never takes a lock
 *   device   device.c, on the engine thread or in rte_pmd_emunic_step(); holds the device's lock
 *            for one batch of frames
 *   control  everything else; takes the device's lock to change what the device reads
 *
 * Driver and device meet in the descriptor rings only: the driver publishes descriptors with the
 * doorbell. The device gives an Rx descriptor back by setting EMU_DD in its status word, and Tx descriptors by
 * writing how many it has read (head write-back, as i40e and ice offer it).
 */

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <ethdev_driver.h>

#include "../compat.h"
#include "iommu.h"
#include "rte_pmd_emunic.h"

#define EMU_MAX_QUEUES 32
#define EMU_MIN_DESC   32
#define EMU_MAX_DESC   4096
#define EMU_DESC_ALIGN 8
#define EMU_MIN_FRAME  60
#define EMU_MAX_FRAME  9728
#define EMU_OVERHEAD   (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN) /* of a frame over its MTU */
#define EMU_MAX_SEGS   8
#define EMU_TSO_SEGS   64 /* of a packet that is cut by the device */
#define EMU_TSO_MAX    (65535 + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN) /* its bytes */
#define EMU_BATCH      32
#define EMU_RETA_SIZE  128
#define EMU_KEY_SIZE   40
#define EMU_MAX_MACS   64
#define EMU_MAX_RULES  64
#define EMU_MAX_FLOWS  (1u << 17)
#define EMU_NO_VID     0xffff
#define EMU_NO_QUEUE   0xffff

#define EMU_RX_OFFLOADS                                                                            \
	(RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_RSS_HASH)
#define EMU_TX_OFFLOADS                                                                            \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                            \
		RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO)
#define EMU_RSS_HF (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP)

extern int emu_logtype;
#define EMU_LOG(level, fmt, ...)                                                                   \
	rte_log(RTE_LOG_##level, emu_logtype, "net_emunic: " fmt "\n", ##__VA_ARGS__)

/* Status word of an Rx descriptor, with the mbuf flags in its lower half. */
#define EMU_DD       (UINT32_C(1) << 31)
#define EMU_OL_FLAGS UINT32_C(0xffff)

/** The driver writes the read format, the device overwrites it with the write-back format. */
union emu_rx_desc {
	struct {
		uint64_t iova;
		uint64_t len; /* of the buffer; its upper half clears the status */
	} read;
	struct {
		uint32_t rss;
		uint16_t vlan_tci;
		uint16_t ptype;
		uint16_t len;
		uint16_t reserved;
		uint32_t status;
	} wb;
};
static_assert(sizeof(union emu_rx_desc) == 16, "an Rx descriptor has 16 bytes");

struct emu_tx_desc {
	uint64_t iova;
	uint16_t len;
	uint16_t control; /* EMU_TX_*; a frame's first one: length of its L2 header, upper half */
	uint32_t offload; /* if requested: segment size, lengths of L3 and L4 header */
};

#define EMU_TX_LAST     0x01 /* of a frame */
#define EMU_TX_IPV4_SUM 0x02
#define EMU_TX_TCP_SUM  0x04
#define EMU_TX_UDP_SUM  0x08
#define EMU_TX_CUT      0x10
#define EMU_TX_REQUESTS (EMU_TX_IPV4_SUM | EMU_TX_TCP_SUM | EMU_TX_UDP_SUM | EMU_TX_CUT)
#define EMU_TX_L2_SHIFT 8
#define EMU_TX_L3_SHIFT 16
#define EMU_TX_L4_SHIFT 25
static_assert(sizeof(struct emu_tx_desc) == 16, "a Tx descriptor has 16 bytes");

/** Counters of the device; the names are in stats.c. */
enum emu_counter {
	EMU_SOURCE_FRAMES,
	EMU_RX_FRAMES,
	EMU_NO_DESC,
	EMU_TOO_LONG,
	EMU_NO_MATCH,
	EMU_FAULTS,
	EMU_TX_FRAMES,
	EMU_TX_DROPS,
	EMU_TX_VERIFIED,
	EMU_TX_CORRUPT,
	EMU_TX_OUT_OF_ORDER,
	EMU_TX_LOST,
	EMU_TX_DUPLICATE,
	EMU_TX_OTHER,
	EMU_TX_CHECKSUMS,
	EMU_TX_CUTS,
	EMU_COUNTERS
};

/** Packets and bytes, counted by the driver; base is what they were at the last reset. */
struct emu_queue_stats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t errors; /* Rx: allocation failures; Tx: packets that cannot be sent */
	uint64_t base_packets;
	uint64_t base_bytes;
	uint64_t base_errors;
};

/* What both sides read lies in lines that neither writes while packets flow. */
struct emu_rxq {
	union emu_rx_desc *ring;
	struct rte_mbuf **sw;
	struct rte_mempool *pool;
	uint64_t rearm;  /* data_off, refcnt, nb_segs, port of every received mbuf */
	uint16_t target; /* how many shall be posted: nb_desc, or 0 while stopped */
	uint16_t thresh; /* refill when this many are missing */
	uint16_t nb_desc;
	uint16_t queue_id;
	uint16_t port_id;
	struct rte_eth_rxconf conf;

	/* driver */
	uint32_t tail __rte_cache_aligned; /* descriptors ever posted */
	uint16_t next;                     /* index to look at next */
	uint16_t post;                     /* index to post next */
	uint16_t posted;                   /* posted and not yet taken back */
	struct emu_queue_stats stats;

	uint32_t doorbell __rte_cache_aligned; /* tail, as far as the device may go */

	/* device */
	uint32_t head __rte_cache_aligned; /* descriptors ever completed */
	uint32_t limit;                    /* doorbell as last read */
	uint16_t index;                    /* of the next descriptor to complete */
	bool running;
	uint64_t drops;
	uint64_t base_drops; /* at the last reset */
};

struct emu_txq {
	struct emu_tx_desc *ring;
	struct rte_mbuf **sw; /* at the last descriptor of a packet: the packet, else NULL */
	uint16_t target;      /* nb_desc, or 0 while stopped */
	uint16_t thresh;      /* free completed packets when fewer descriptors are free */
	uint16_t nb_desc;
	uint16_t queue_id;
	struct rte_eth_txconf conf;

	/* driver */
	uint32_t tail __rte_cache_aligned; /* descriptors ever posted */
	uint16_t post;                     /* index to post next */
	uint16_t clean;                    /* index to free next */
	uint16_t used;                     /* posted and not yet freed */
	struct emu_queue_stats stats;

	uint32_t doorbell __rte_cache_aligned;

	/* device; the driver reads head */
	uint32_t head __rte_cache_aligned; /* descriptors ever read */
	uint32_t limit;                    /* doorbell as last read */
	uint16_t index;
	bool running;
};

/** The place in a ring behind this one. */
static inline uint16_t
emu_advance(uint16_t index, uint16_t nb_desc)
{
	return likely(index + 1 < nb_desc) ? index + 1 : 0;
}

/** Device arguments, see docs/interfaces.md. */
struct emu_conf {
	uint64_t rxq, txq, step, cpu, max_frame, rxq_stop, flow_rss, reta_keep, reta_fail;
	uint64_t gen, frame, flows, origin, count, rate, pause, manual, loop, verify, tx_offload;
	struct rte_ether_addr mac, dst;
	bool cpu_set;
	char rx_pcap[PATH_MAX];
	char tx_pcap[PATH_MAX];
};

/** What the device knows about a frame's headers. */
struct emu_parsed {
	uint16_t ptype; /* RTE_PTYPE_*, outer layers */
	uint16_t vlan_tci;
	uint16_t l3_off;
	uint16_t l4_off;
	bool tagged;
	uint32_t cksum; /* RTE_MBUF_F_RX_{IP,L4}_CKSUM_* */
};

/** Where a frame goes. */
struct emu_target {
	uint16_t queue; /* EMU_NO_QUEUE: nowhere */
	bool hashed;
	uint32_t rss;
};

/** What a hash is made of, and with which key. */
struct emu_hash {
	uint64_t types; /* RTE_ETH_RSS_* */
	uint8_t key[EMU_KEY_SIZE];
};

struct rte_flow {
	uint64_t mac;
	uint16_t vid; /* EMU_NO_VID: any */
	bool rss;     /* over the queues; else there is one */
	uint16_t nb_queues;
	uint16_t queues[EMU_MAX_QUEUES];
	struct emu_hash hash;
};

/** Which frames the port takes, and into which queue; epoch counts the changes. */
struct emu_steer {
	uint32_t epoch;
	bool promiscuous;
	bool allmulticast;
	bool isolated;
	bool rss;
	struct emu_hash hash;
	uint16_t reta[EMU_RETA_SIZE];
	uint64_t macs[EMU_MAX_MACS]; /* 0: free */
	struct rte_flow *rules[EMU_MAX_RULES];
	unsigned int nb_rules;
};

/** Pace of a source, in TSC cycles. */
struct emu_pace {
	double period; /* 0: no pace */
	double due;    /* of the next frame */
};

struct emu_generator;
struct emu_replay;
struct emu_verify;
struct emu_dump;

struct emu {
	struct emu_conf conf;
	struct rte_eth_dev *dev;
	uint16_t port_id;

	/* The device's lock. Control announces itself, so that the engine lets it in between batches. */
	pthread_mutex_t mutex;
	unsigned int waiters;

	bool started;
	unsigned int starts;
	bool queues_jammed; /* told by telemetry: Rx queues do not stop any more, */
	bool jammed;        /* nor does the port */
	bool tx_stalled;    /* nothing is sent */
	bool link_down;     /* by the application */
	bool source_on;
	uint16_t rx_limit; /* longest frame the port takes */
	uint64_t rx_offloads;
	uint64_t now; /* TSC at the start of the batch */
	struct emu_rxq *rxq[EMU_MAX_QUEUES];
	struct emu_txq *txq[EMU_MAX_QUEUES];
	unsigned int nb_txq;
	struct iommu mmu;
	struct iommu_range hint;
	bool fault_logged;
	struct emu_steer steer;
	struct emu_pace pace;
	struct emu_generator *gen;
	struct emu_replay *replay;
	struct emu_verify *verify;
	struct emu_dump *dump;
	bool dma_events;                 /* told of memory that EAL adds or removes */
	uint8_t bounce[EMU_MAX_FRAME];   /* a frame gathered from segments */
	uint8_t stripped[EMU_MAX_FRAME]; /* a frame without its VLAN tag */
	uint8_t large[EMU_TSO_MAX];      /* a packet with requests */
	uint64_t counters[EMU_COUNTERS];
	uint64_t base[EMU_COUNTERS];

	pthread_t thread;
	bool threaded;
	bool quit;
	TAILQ_ENTRY(emu) next;
};

/** Result of offering one frame to the Rx side. */
enum emu_verdict {
	EMU_DELIVERED,
	EMU_DROPPED,   /* and counted */
	EMU_BLOCKED,   /* no descriptor */
	EMU_NOT_MINE,  /* not for this port */
	EMU_OVERSIZED, /* for the port, or for the buffer */
};

static inline bool
emu_link_up(const struct emu *emu)
{
	return emu->started && !emu->link_down;
}

/** An address as a number, as rules and filters compare it. */
static inline uint64_t
emu_mac(const void *addr)
{
	uint64_t v = 0;

	memcpy(&v, addr, RTE_ETHER_ADDR_LEN);
	return v;
}

/* device.c */
void emu_lock(struct emu *emu);
void emu_unlock(struct emu *emu);
int emu_engine_start(struct emu *emu);
void emu_engine_stop(struct emu *emu);
int emu_step(struct emu *emu, unsigned int rx_budget, unsigned int tx_budget);
void emu_fault(struct emu *emu, const char *what, uint64_t iova, uint32_t len);

/* device_rx.c */
union emu_rx_desc emu_rx_describe(const struct emu *emu, const struct emu_parsed *p,
	const struct emu_target *t);
enum emu_verdict emu_rx_refuse(struct emu *emu, uint16_t queue, enum emu_verdict why);
enum emu_verdict emu_rx_deliver(struct emu *emu, const uint8_t *data, uint16_t len,
	const struct emu_parsed *parsed);

/* device_tx.c */
void emu_tx_fetch(struct emu_txq *q);
unsigned int emu_tx_drain(struct emu *emu, struct emu_txq *q, unsigned int budget);

enum emu_verdict emu_transmit(struct emu *emu, const uint8_t *data, uint16_t len);

const uint8_t *emu_tx_gather(struct emu *emu, const struct emu_txq *q, unsigned int descs,
	uint8_t *to, bool all);

/* device_offload.c */
unsigned int emu_tx_offload(struct emu *emu, const struct emu_txq *q, unsigned int descs,
	uint32_t len);

/* frame.c */
void emu_frame_parse(const uint8_t *data, uint16_t len, struct emu_parsed *p);
void emu_frame_check(const uint8_t *data, uint16_t len, struct emu_parsed *p);

/* steer.c */
void emu_steer_init(struct emu_steer *s, const struct rte_ether_addr *mac);
void emu_steer_configure(struct emu_steer *s, const struct rte_eth_conf *conf, uint16_t nb_queues);
void emu_steer_reset_reta(struct emu_steer *s, uint16_t nb_queues);
void emu_steer_frame(const struct emu_steer *s, const uint8_t *data, const struct emu_parsed *p,
	struct emu_target *t);

/* source.c */
void emu_pace_set(struct emu_pace *pace, uint64_t rate);
int emu_source_switch(struct emu *emu, bool on);
bool emu_source_done(const struct emu *emu);
uint32_t emu_source_rest_ns(const struct emu *emu);
unsigned int emu_source_run(struct emu *emu, unsigned int budget);

/* generator.c */
int emu_gen_create(const struct emu *emu, const struct rte_pmd_emunic_gen *conf,
	struct emu_generator **gen);
void emu_gen_free(struct emu_generator *gen);
void emu_gen_inherit(struct emu_generator *gen, struct emu_generator *old);
void emu_gen_rewind(struct emu_generator *gen);
bool emu_gen_done(const struct emu_generator *gen);
unsigned int emu_gen_run(struct emu *emu, unsigned int budget);

/* verify.c */
struct emu_verify *emu_verify_create(uint32_t every, bool sequence);
void emu_verify_free(struct emu_verify *v);
void emu_verify_frame(struct emu *emu, const uint8_t *data, uint16_t len);
bool emu_verify_wants_all(const struct emu_verify *v, const uint8_t *data, uint16_t len);
int emu_verify_latency(struct emu_verify *v, double percentile, uint64_t *tsc);
void emu_verify_latency_reset(struct emu_verify *v);

/* pcap.c */
int emu_replay_open(const char *path, struct emu_replay **replay);
void emu_replay_free(struct emu_replay *replay);
void emu_replay_rewind(struct emu_replay *replay);
bool emu_replay_done(const struct emu_replay *replay);
unsigned int emu_replay_run(struct emu *emu, unsigned int budget);
int emu_dump_open(const char *path, struct emu_dump **dump);
void emu_dump_close(struct emu_dump *dump);
void emu_dump_frame(struct emu_dump *dump, const uint8_t *data, uint16_t len);
void emu_dump_flush(struct emu_dump *dump);

/* dma.c */
int emu_dma_attach(struct emu *emu);
void emu_dma_detach(struct emu *emu);
int emu_dma_map(struct emu *emu, void *addr, uint64_t iova, size_t len);
int emu_dma_unmap(struct emu *emu, uint64_t iova, size_t len);

/* args.c */
int emu_args_parse(const char *name, const char *args, struct emu_conf *conf);

/* driver.c */
struct emu *emu_find(uint16_t port_id);
int emu_foreach(int (*visit)(struct emu *emu, void *arg), void *arg);
void emu_driver_forget(struct emu *emu);
void emu_destroy(struct emu *emu);

/* ops.c, queue.c, steer_ops.c, flow.c, stats.c */
extern const struct eth_dev_ops emu_ops;
extern const struct rte_flow_ops emu_flow_ops;
int emu_dev_stop(struct rte_eth_dev *dev);
int emu_dev_close(struct rte_eth_dev *dev);

int emu_rx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int emu_tx_queue_setup(struct rte_eth_dev *dev, uint16_t id, uint16_t nb_desc, unsigned int socket,
	const struct rte_eth_txconf *conf);
void emu_rx_queue_release(struct rte_eth_dev *dev, uint16_t id);
void emu_tx_queue_release(struct rte_eth_dev *dev, uint16_t id);
int emu_rx_queue_start(struct rte_eth_dev *dev, uint16_t id);
int emu_rx_queue_stop(struct rte_eth_dev *dev, uint16_t id);
int emu_tx_queue_start(struct rte_eth_dev *dev, uint16_t id);
int emu_tx_queue_stop(struct rte_eth_dev *dev, uint16_t id);
void emu_rxq_start(struct rte_eth_dev *dev, uint16_t id);
void emu_rxq_stop(struct rte_eth_dev *dev, uint16_t id);
void emu_txq_start(struct rte_eth_dev *dev, uint16_t id);
void emu_txq_stop(struct rte_eth_dev *dev, uint16_t id);
void emu_rxq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_rxq_info *info);
void emu_txq_info(struct rte_eth_dev *dev, uint16_t id, struct rte_eth_txq_info *info);

int emu_promiscuous_enable(struct rte_eth_dev *dev);
int emu_promiscuous_disable(struct rte_eth_dev *dev);
int emu_allmulticast_enable(struct rte_eth_dev *dev);
int emu_allmulticast_disable(struct rte_eth_dev *dev);
int emu_mac_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr);
int emu_mac_add(struct rte_eth_dev *dev, struct rte_ether_addr *addr, uint32_t index,
	uint32_t pool);
void emu_mac_remove(struct rte_eth_dev *dev, uint32_t index);
int emu_reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int emu_reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int emu_rss_hash_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
int emu_rss_hash_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
void emu_flow_free_all(struct emu *emu);

int emu_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats IOVTEE_QUEUE_STATS_PARAM);
int emu_stats_reset(struct rte_eth_dev *dev);
int emu_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n);
int emu_xstats_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n);
const char *emu_counter_name(enum emu_counter counter);

/* rxtx.c */
void emu_rx_fill(struct emu_rxq *q);
uint16_t emu_rx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb);
uint16_t emu_tx_burst(void *queue, struct rte_mbuf **pkts, uint16_t nb);
uint16_t emu_tx_burst_offload(void *queue, struct rte_mbuf **pkts, uint16_t nb);
uint16_t emu_tx_prepare(void *queue, struct rte_mbuf **pkts, uint16_t nb);
unsigned int emu_tx_clean(struct emu_txq *q, unsigned int most);
int emu_tx_done_cleanup(void *queue, uint32_t most);
iovtee_queue_count emu_rx_queue_count(void *queue);
int emu_rx_desc_status(void *queue, uint16_t offset);
int emu_tx_desc_status(void *queue, uint16_t offset);

#endif /* EMUNIC_H */
