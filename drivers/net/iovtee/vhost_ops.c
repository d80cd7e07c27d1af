/* SPDX-License-Identifier: BSD-3-Clause */
/* The vhost port's ethdev operations. */
#include "control.h"
#include "log.h"
#include "transmit.h"
#include "vhost.h"
#include "vhost_driver.h"

/*
 * An application that asks for a checksum to be verified, and not to be there, looks at what is said about it; one that
 * sends large packets to the guest knows packets that ask for something, and is taken to carry on what came with them.
 */
bool
vhost_takes_checksums(const struct vhost_port *p)
{
	const struct rte_eth_conf *c = &p->data->dev_conf;
	const uint64_t both = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

	return (c->rxmode.offloads & both) == both || vhost_takes_large(p);
}

bool
vhost_takes_large(const struct vhost_port *p)
{
	const struct rte_eth_conf *c = &p->data->dev_conf;

	return (c->rxmode.offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) ||
		(c->txmode.offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO);
}

/* ethdev has just put the application's MTU, or a default one, in place of the guest's. */
static int
configure(struct rte_eth_dev *dev)
{
	struct vhost_port *p = vhost_of(dev);

	if (p->conf.offers == VHOST_OFFERS_TSO && !vhost_takes_large(p)) {
		IOVTEE_LOG(ERR,
			"%s: tx-offload=tso: the application takes no large packets: have it enable Rx "
			"TCP_LRO or Tx TCP_TSO on this port, or set tx-offload=csum",
			dev->data->name);
		return -EINVAL;
	}
	control_lock();
	if (p->running && p->mtu > 0)
		dev->data->mtu = p->mtu;
	control_unlock();
	return 0;
}

static void
set_started(struct rte_eth_dev *dev, bool started)
{
	struct vhost_port *p = vhost_of(dev);
	uint8_t state = started ? RTE_ETH_QUEUE_STATE_STARTED : RTE_ETH_QUEUE_STATE_STOPPED;

	control_lock();
	p->started = started;
	vhost_sync(p);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		dev->data->rx_queue_state[i] = state;
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		dev->data->tx_queue_state[i] = state;
	control_unlock();
}

static int
start(struct rte_eth_dev *dev)
{
	int ret;

	control_lock();
	ret = mapping_claim_late(vhost_of(dev));
	control_unlock();
	if (ret == 0)
		set_started(dev, true);
	return ret;
}

static int
stop(struct rte_eth_dev *dev)
{
	set_started(dev, false);
	return 0;
}

static int
info_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const enum vhost_offers offers = vhost_of(dev)->conf.offers;

	info->max_mac_addrs = 1;
	info->max_rx_pktlen = UINT32_MAX;
	info->max_rx_queues = VHOST_PORT_QUEUES_MAX;
	info->max_tx_queues = VHOST_PORT_QUEUES_MAX;
	info->min_rx_bufsize = 0;
	/* SCATTER asks for packets in several mbufs: see vhost_loans.c. */
	info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_SCATTER;
	if (offers >= VHOST_OFFERS_CSUM)
		info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
			RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	if (offers == VHOST_OFFERS_TSO)
		info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
	info->max_lro_pkt_size = IOVT_TX_LEN_MAX;
	/* Nothing is left to be prepared by the application: there is no tx_pkt_prepare. */
	info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_VLAN_INSERT |
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
		RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	return 0;
}

static int
rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t desc, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *mp)
{
	struct vhost_rxq *q = &vhost_of(dev)->rxq[queue];

	int ret;

	control_lock();
	ret = vhost_rx_set_pool(q, mp);
	if (ret == 0) {
		q->set_up = true;
		dev->data->rx_queues[queue] = q;
	}
	control_unlock();
	return ret;
}

static int
tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t desc, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	dev->data->tx_queues[queue] = &vhost_of(dev)->sender[queue];
	return 0;
}

static void
rx_queue_release(struct rte_eth_dev *dev, uint16_t queue)
{
	struct vhost_port *p = vhost_of(dev);

	control_lock();
	p->rxq[queue].set_up = false;
	vhost_sync(p);
	control_unlock();
}

/* Nothing is filtered here: the guest gets what the switch sends. */
static int
filter_nothing(struct rte_eth_dev *dev)
{
	return 0;
}

static int
mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr)
{
	return 0;
}

/* Any, but no more than the guest was told: longer frames would be dropped. */
static int
mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	const struct vhost_port *p = vhost_of(dev);
	uint16_t told;

	control_lock();
	told = p->running ? p->mtu : 0;
	control_unlock();
	if (told == 0 || mtu <= told)
		return 0;
	IOVTEE_LOG(ERR, "%s: MTU %u: the guest was told %u; set it where the guest is started",
		dev->data->name, mtu, told);
	return -EINVAL;
}

/* The state is kept by the events of the guest. */
static int
link_update(struct rte_eth_dev *dev, int wait)
{
	return 0;
}

/* Every packet is done with when tx_burst returns. */
static int
tx_done_cleanup(void *queue, uint32_t n)
{
	return 0;
}

void
vhost_set_functions(struct rte_eth_dev *dev)
{
	dev->dev_ops = &vhost_ops;
	dev->rx_pkt_burst = vhost_rx_burst;
	dev->tx_pkt_burst = vhost_tx_burst;
	dev->rx_queue_count = vhost_rx_queue_count;
}

const struct eth_dev_ops vhost_ops = {
	.dev_configure = configure,
	.dev_start = start,
	.dev_stop = stop,
	.dev_close = vhost_close,
	.dev_infos_get = info_get,
	.rx_queue_setup = rx_queue_setup,
	.rx_queue_release = rx_queue_release,
	.tx_queue_setup = tx_queue_setup,
	.tx_done_cleanup = tx_done_cleanup,
	.promiscuous_enable = filter_nothing,
	.promiscuous_disable = filter_nothing,
	.allmulticast_enable = filter_nothing,
	.allmulticast_disable = filter_nothing,
	.mac_addr_set = mac_addr_set,
	.mtu_set = mtu_set,
	.link_update = link_update,
	.stats_get = vhost_stats_get,
	.stats_reset = vhost_stats_reset,
	.xstats_get_names = vhost_xstats_get_names,
	.xstats_get = vhost_xstats_get,
	.xstats_reset = vhost_stats_reset,
};
