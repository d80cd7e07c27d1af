/* SPDX-License-Identifier: BSD-3-Clause */
/* The uplink's ethdev operations: passed on to the physical port. */
#include "control.h"
#include "log.h"
#include "mapping.h"
#include "steer.h"
#include "uplink.h"

static uint16_t
phys(const struct rte_eth_dev *dev)
{
	return uplink_of(dev)->phys_port;
}

/* ---- life ---- */

static int
configure(struct rte_eth_dev *dev)
{
	struct rte_eth_conf conf = dev->data->dev_conf;
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_info_get(phys(dev), &info);

	if (ret != 0)
		return ret;
	conf.txmode.offloads &= info.tx_offload_capa | ~UPLINK_SOFT_OFFLOADS;
	uplink_of(dev)->keeps_reta = false;
	/* The physical port's link events come to us, see uplink_driver.c. */
	conf.intr_conf.lsc = !!(rte_eth_devices[phys(dev)].data->dev_flags & RTE_ETH_DEV_INTR_LSC);
	conf.intr_conf.rmv = 0;
	return rte_eth_dev_configure(phys(dev), dev->data->nb_rx_queues, dev->data->nb_tx_queues,
		&conf);
}

static int
start(struct rte_eth_dev *dev)
{
	struct uplink *up = uplink_of(dev);
	int ret;

	control_lock();
	ret = uplink_phys_start(up);
	if (ret == 0) {
		up->started = true;
		for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
			dev->data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
		for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
			dev->data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
		mapping_uplink_started(up);
	}
	control_unlock();
	return ret;
}

static int
stop(struct rte_eth_dev *dev)
{
	struct uplink *up = uplink_of(dev);
	int ret;

	control_lock();
	mapping_uplink_stopping(up);
	up->started = false;
	ret = uplink_phys_stop(up);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
		dev->data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STOPPED;
	for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
		dev->data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STOPPED;
	control_unlock();
	return ret;
}

static int
info_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	int ret = rte_eth_dev_info_get(phys(dev), info);

	if (ret != 0)
		return ret;
	info->device = dev->device;
	info->driver_name = dev->device->driver->name;
	info->max_rx_queues = RTE_MIN(info->max_rx_queues, UPLINK_QUEUES_MAX);
	info->max_tx_queues = RTE_MIN(info->max_tx_queues, UPLINK_QUEUES_MAX);
	/* It frees all packets to the first one's pool: guest buffers are in other pools. */
	info->tx_offload_capa &= ~RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	info->tx_queue_offload_capa &= ~RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	info->default_txconf.offloads &= ~RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	info->tx_offload_capa |= UPLINK_SOFT_OFFLOADS;
	/* One packet, one buffer: a mapped packet is never scattered over several guest buffers. */
	info->rx_offload_capa &= ~(RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_BUFFER_SPLIT);
	info->rx_queue_offload_capa &= ~(
		RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_BUFFER_SPLIT);
	return 0;
}

/* ---- passed on as it is ---- */

static int
set_link_up(struct rte_eth_dev *dev)
{
	return rte_eth_dev_set_link_up(phys(dev));
}

static int
set_link_down(struct rte_eth_dev *dev)
{
	return rte_eth_dev_set_link_down(phys(dev));
}

static int
link_update(struct rte_eth_dev *dev, int wait)
{
	struct rte_eth_link link;
	int ret = wait ? rte_eth_link_get(phys(dev), &link)
		       : rte_eth_link_get_nowait(phys(dev), &link);

	return ret < 0 ? ret : rte_eth_linkstatus_set(dev, &link);
}

static int
promiscuous_enable(struct rte_eth_dev *dev)
{
	return rte_eth_promiscuous_enable(phys(dev));
}

static int
promiscuous_disable(struct rte_eth_dev *dev)
{
	return rte_eth_promiscuous_disable(phys(dev));
}

static int
allmulticast_enable(struct rte_eth_dev *dev)
{
	return rte_eth_allmulticast_enable(phys(dev));
}

static int
allmulticast_disable(struct rte_eth_dev *dev)
{
	return rte_eth_allmulticast_disable(phys(dev));
}

static int
mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr)
{
	return rte_eth_dev_default_mac_addr_set(phys(dev), addr);
}

static int
mac_addr_add(struct rte_eth_dev *dev, struct rte_ether_addr *addr, uint32_t index, uint32_t pool)
{
	return rte_eth_dev_mac_addr_add(phys(dev), addr, pool);
}

static void
mac_addr_remove(struct rte_eth_dev *dev, uint32_t index)
{
	rte_eth_dev_mac_addr_remove(phys(dev), &dev->data->mac_addrs[index]);
}

static int
set_mc_addr_list(struct rte_eth_dev *dev, struct rte_ether_addr *addrs, uint32_t n)
{
	return rte_eth_dev_set_mc_addr_list(phys(dev), addrs, n);
}

static int
mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	return rte_eth_dev_set_mtu(phys(dev), mtu);
}

static int
vlan_filter_set(struct rte_eth_dev *dev, uint16_t vlan, int on)
{
	return rte_eth_dev_vlan_filter(phys(dev), vlan, on);
}

static int
vlan_offload_set(struct rte_eth_dev *dev, int mask)
{
	uint64_t offloads = dev->data->dev_conf.rxmode.offloads;
	int flags = 0;

	if (offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP)
		flags |= RTE_ETH_VLAN_STRIP_OFFLOAD;
	if (offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER)
		flags |= RTE_ETH_VLAN_FILTER_OFFLOAD;
	if (offloads & RTE_ETH_RX_OFFLOAD_VLAN_EXTEND)
		flags |= RTE_ETH_VLAN_EXTEND_OFFLOAD;
	if (offloads & RTE_ETH_RX_OFFLOAD_QINQ_STRIP)
		flags |= RTE_ETH_QINQ_STRIP_OFFLOAD;
	return rte_eth_dev_set_vlan_offload(phys(dev), flags);
}

static const uint32_t *
supported_ptypes(struct rte_eth_dev *dev IOVTEE_PTYPES_COUNT_PARAM)
{
	struct rte_eth_dev *p = &rte_eth_devices[phys(dev)];

	if (p->dev_ops->dev_supported_ptypes_get == NULL)
		return NULL;
	return p->dev_ops->dev_supported_ptypes_get(p IOVTEE_PTYPES_COUNT_ARG);
}

static int
fw_version_get(struct rte_eth_dev *dev, char *version, size_t size)
{
	return rte_eth_dev_fw_version_get(phys(dev), version, size);
}

static int
flow_ctrl_get(struct rte_eth_dev *dev, struct rte_eth_fc_conf *conf)
{
	return rte_eth_dev_flow_ctrl_get(phys(dev), conf);
}

static int
flow_ctrl_set(struct rte_eth_dev *dev, struct rte_eth_fc_conf *conf)
{
	return rte_eth_dev_flow_ctrl_set(phys(dev), conf);
}

static int
rss_hash_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	return rte_eth_dev_rss_hash_update(phys(dev), conf);
}

static int
rss_hash_conf_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	return rte_eth_dev_rss_hash_conf_get(phys(dev), conf);
}

static int
reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	return rte_eth_dev_rss_reta_query(phys(dev), reta, size);
}

/* Whatever the application asks for, queues of untrusted guests stay out. */
static int
reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	int ret;

	control_lock();
	ret = steer_reta_update(uplink_of(dev), reta, size);
	control_unlock();
	return ret;
}

static void
rxq_info_get(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_rxq_info *info)
{
	struct uplink_rxq *q = dev->data->rx_queues[queue];
	struct rte_eth_rxq_info phys_info;

	if (rte_eth_rx_queue_info_get(phys(dev), queue, &phys_info) == 0)
		*info = phys_info;
	info->mp = q->app_pool;
	info->nb_desc = q->app_desc;
}

static void
txq_info_get(struct rte_eth_dev *dev, uint16_t queue, struct rte_eth_txq_info *info)
{
	struct rte_eth_txq_info phys_info;

	if (rte_eth_tx_queue_info_get(phys(dev), queue, &phys_info) == 0)
		*info = phys_info;
}

/* ---- single queues ---- */

static int
rx_queue_start(struct rte_eth_dev *dev, uint16_t queue)
{
	struct uplink_rxq *q = dev->data->rx_queues[queue];
	int ret;

	control_lock();
	gate_close(&q->gate);
	tee_refilling = true;
	ret = rte_eth_dev_rx_queue_start(phys(dev), queue);
	tee_refilling = false;
	gate_open(&q->gate);
	if (ret == 0)
		dev->data->rx_queue_state[queue] = RTE_ETH_QUEUE_STATE_STARTED;
	control_unlock();
	return ret;
}

static int
rx_queue_stop(struct rte_eth_dev *dev, uint16_t queue)
{
	struct uplink_rxq *q = dev->data->rx_queues[queue];
	int ret;

	control_lock();
	gate_close(&q->gate);
	ret = rte_eth_dev_rx_queue_stop(phys(dev), queue);
	gate_open(&q->gate);
	if (ret == 0)
		dev->data->rx_queue_state[queue] = RTE_ETH_QUEUE_STATE_STOPPED;
	control_unlock();
	return ret;
}

static int
tx_queue_start(struct rte_eth_dev *dev, uint16_t queue)
{
	int ret;

	control_lock();
	ret = rte_eth_dev_tx_queue_start(phys(dev), queue);
	if (ret == 0) {
		uplink_txq_allow_reaping(dev->data->tx_queues[queue], true);
		dev->data->tx_queue_state[queue] = RTE_ETH_QUEUE_STATE_STARTED;
	}
	control_unlock();
	return ret;
}

static int
tx_queue_stop(struct rte_eth_dev *dev, uint16_t queue)
{
	int ret;

	control_lock();
	uplink_txq_allow_reaping(dev->data->tx_queues[queue], false);
	ret = rte_eth_dev_tx_queue_stop(phys(dev), queue);
	if (ret == 0)
		dev->data->tx_queue_state[queue] = RTE_ETH_QUEUE_STATE_STOPPED;
	else
		uplink_txq_allow_reaping(dev->data->tx_queues[queue], true);
	control_unlock();
	return ret;
}

static int
tx_done_cleanup(void *queue, uint32_t n)
{
	struct uplink_txq *q = queue;
	int ret;

	/* Others may reap it at the same time. */
	iovt_lock_take(&q->lock);
	ret = rte_eth_tx_done_cleanup(q->phys_port, q->queue, n);
	iovt_lock_release(&q->lock);
	return ret;
}

const struct eth_dev_ops uplink_ops = {
	.dev_configure = configure,
	.dev_start = start,
	.dev_stop = stop,
	.dev_close = uplink_close,
	.dev_infos_get = info_get,
	.dev_set_link_up = set_link_up,
	.dev_set_link_down = set_link_down,
	.link_update = link_update,
	.promiscuous_enable = promiscuous_enable,
	.promiscuous_disable = promiscuous_disable,
	.allmulticast_enable = allmulticast_enable,
	.allmulticast_disable = allmulticast_disable,
	.mac_addr_set = mac_addr_set,
	.mac_addr_add = mac_addr_add,
	.mac_addr_remove = mac_addr_remove,
	.set_mc_addr_list = set_mc_addr_list,
	.mtu_set = mtu_set,
	.vlan_filter_set = vlan_filter_set,
	.vlan_offload_set = vlan_offload_set,
	.dev_supported_ptypes_get = supported_ptypes,
	.fw_version_get = fw_version_get,
	.flow_ctrl_get = flow_ctrl_get,
	.flow_ctrl_set = flow_ctrl_set,
	.rss_hash_update = rss_hash_update,
	.rss_hash_conf_get = rss_hash_conf_get,
	.reta_query = reta_query,
	.reta_update = reta_update,
	.rxq_info_get = rxq_info_get,
	.txq_info_get = txq_info_get,
	.rx_queue_setup = uplink_rx_queue_setup,
	.rx_queue_release = uplink_rx_queue_release,
	.tx_queue_setup = uplink_tx_queue_setup,
	.tx_queue_release = uplink_tx_queue_release,
	.rx_queue_start = rx_queue_start,
	.rx_queue_stop = rx_queue_stop,
	.tx_queue_start = tx_queue_start,
	.tx_queue_stop = tx_queue_stop,
	.tx_done_cleanup = tx_done_cleanup,
	.stats_get = uplink_stats_get,
	.stats_reset = uplink_stats_reset,
	.xstats_get_names = uplink_xstats_get_names,
	.xstats_get = uplink_xstats_get,
	.xstats_reset = uplink_xstats_reset,
	.flow_ops_get = uplink_flow_ops_get,
};
