/* SPDX-License-Identifier: BSD-3-Clause */
/* The port: configure, start, stop, link, what it can do. */
#include <inttypes.h>

#include <rte_malloc.h>

#include "emunic.h"

static struct emu *
priv(struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

static int
dev_configure(struct rte_eth_dev *dev)
{
	const struct rte_eth_rss_conf *rss = &dev->data->dev_conf.rx_adv_conf.rss_conf;
	struct emu *emu = priv(dev);

	if (rss->rss_key != NULL && rss->rss_key_len != 0 && rss->rss_key_len != EMU_KEY_SIZE) {
		EMU_LOG(ERR, "%s: RSS key of %u bytes; it must have %u", dev->device->name,
			rss->rss_key_len, EMU_KEY_SIZE);
		return -EINVAL;
	}
	emu_lock(emu);
	emu_steer_configure(&emu->steer, &dev->data->dev_conf, dev->data->nb_rx_queues);
	emu->rx_offloads = dev->data->dev_conf.rxmode.offloads;
	emu->nb_txq = dev->data->nb_tx_queues;
	emu_unlock(emu);
	return 0;
}

static int
link_update(struct rte_eth_dev *dev, int wait)
{
	struct emu *emu = priv(dev);
	struct rte_eth_link link = {
		.link_speed = RTE_ETH_SPEED_NUM_100G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED,
	};

	RTE_SET_USED(wait);
	emu_lock(emu);
	link.link_status = emu_link_up(emu) ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	emu_unlock(emu);
	return rte_eth_linkstatus_set(dev, &link);
}

static void
set_link_down(struct rte_eth_dev *dev, bool down)
{
	struct emu *emu = priv(dev);

	emu_lock(emu);
	emu->link_down = down;
	emu_unlock(emu);
	link_update(dev, 0);
}

static int
dev_set_link_up(struct rte_eth_dev *dev)
{
	set_link_down(dev, false);
	return 0;
}

static int
dev_set_link_down(struct rte_eth_dev *dev)
{
	set_link_down(dev, true);
	return 0;
}

/* ethdev does not look whether every queue that was configured was set up, too. */
static int
check_queues(struct rte_eth_dev *dev)
{
	uint16_t i;

	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		if (dev->data->rx_queues[i] == NULL) {
			EMU_LOG(ERR, "%s: Rx queue %u is not set up", dev->device->name, i);
			return -EINVAL;
		}
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		if (dev->data->tx_queues[i] == NULL) {
			EMU_LOG(ERR, "%s: Tx queue %u is not set up", dev->device->name, i);
			return -EINVAL;
		}
	}
	return 0;
}

static int
dev_start(struct rte_eth_dev *dev)
{
	struct emu *emu = priv(dev);
	uint16_t i;

	if (check_queues(dev) != 0)
		return -EINVAL;
	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		if (!((struct emu_rxq *)dev->data->rx_queues[i])->conf.rx_deferred_start)
			emu_rxq_start(dev, i);
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		if (!((struct emu_txq *)dev->data->tx_queues[i])->conf.tx_deferred_start)
			emu_txq_start(dev, i);
	}
	dev->tx_pkt_burst = dev->data->dev_conf.txmode.offloads & EMU_TX_OFFLOADS
		? emu_tx_burst_offload
		: emu_tx_burst;
	emu_lock(emu);
	if (!emu->conf.reta_keep)
		emu_steer_reset_reta(&emu->steer, dev->data->nb_rx_queues);
	emu->started = true;
	emu->starts++;
	emu_unlock(emu);
	link_update(dev, 0);
	return 0;
}

int
emu_dev_stop(struct rte_eth_dev *dev)
{
	struct emu *emu = priv(dev);
	uint16_t i;

	emu_lock(emu);
	emu->started = false;
	if (emu->dump != NULL)
		emu_dump_flush(emu->dump);
	emu_unlock(emu);
	for (i = 0; i < dev->data->nb_rx_queues; i++) {
		if (dev->data->rx_queues[i] != NULL)
			emu_rxq_stop(dev, i);
	}
	for (i = 0; i < dev->data->nb_tx_queues; i++) {
		if (dev->data->tx_queues[i] != NULL)
			emu_txq_stop(dev, i);
	}
	dev->data->dev_started = 0;
	link_update(dev, 0);
	return 0;
}

static int
dev_stop(struct rte_eth_dev *dev)
{
	return __atomic_load_n(&priv(dev)->jammed, __ATOMIC_RELAXED) ? -EIO : emu_dev_stop(dev);
}

static int
dev_infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct emu *emu = priv(dev);
	const struct rte_eth_desc_lim lim = {
		.nb_max = EMU_MAX_DESC,
		.nb_min = EMU_MIN_DESC,
		.nb_align = EMU_DESC_ALIGN,
		.nb_seg_max = EMU_MAX_SEGS,
		.nb_mtu_seg_max = EMU_MAX_SEGS,
	};
	const struct rte_eth_dev_portconf port = {
		.burst_size = 32,
		.ring_size = 1024,
		.nb_queues = 1,
	};

	info->max_mac_addrs = EMU_MAX_MACS;
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->max_mtu = emu->conf.max_frame - EMU_OVERHEAD;
	info->max_rx_pktlen = emu->conf.max_frame;
	info->min_rx_bufsize = 64;
	info->max_rx_queues = emu->conf.rxq;
	info->max_tx_queues = emu->conf.txq;
	info->rx_desc_lim = lim;
	info->tx_desc_lim = lim;
	info->rx_offload_capa = EMU_RX_OFFLOADS;
	info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (emu->conf.tx_offload) {
		info->tx_offload_capa |= EMU_TX_OFFLOADS;
		info->tx_desc_lim.nb_seg_max = EMU_TSO_SEGS;
	}
	info->reta_size = EMU_RETA_SIZE;
	info->hash_key_size = EMU_KEY_SIZE;
	info->flow_type_rss_offloads = EMU_RSS_HF;
	info->speed_capa = RTE_ETH_LINK_SPEED_100G | RTE_ETH_LINK_SPEED_FIXED;
	info->dev_capa = RTE_ETH_DEV_CAPA_RUNTIME_TX_QUEUE_SETUP;
	if (emu->conf.rxq_stop)
		info->dev_capa |= RTE_ETH_DEV_CAPA_RUNTIME_RX_QUEUE_SETUP;
	info->default_rxportconf = port;
	info->default_txportconf = port;
	return 0;
}

static const uint32_t *
supported_ptypes(struct rte_eth_dev *dev IOVTEE_PTYPES_COUNT_PARAM)
{
	static const uint32_t ptypes[] = {
		RTE_PTYPE_L2_ETHER,
		RTE_PTYPE_L2_ETHER_VLAN,
		RTE_PTYPE_L2_ETHER_QINQ,
		RTE_PTYPE_L3_IPV4,
		RTE_PTYPE_L3_IPV4_EXT,
		RTE_PTYPE_L3_IPV6,
		RTE_PTYPE_L3_IPV6_EXT,
		RTE_PTYPE_L4_FRAG,
		RTE_PTYPE_L4_ICMP,
		RTE_PTYPE_L4_NONFRAG,
		RTE_PTYPE_L4_SCTP,
		RTE_PTYPE_L4_TCP,
		RTE_PTYPE_L4_UDP,
		RTE_PTYPE_UNKNOWN,
	};

	RTE_SET_USED(dev);
	IOVTEE_PTYPES_COUNT_SET(RTE_DIM(ptypes) - 1);
	return ptypes;
}

/* ethdev has checked the range. From now on longer frames than the MTU allows do not come in. */
static int
mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	struct emu *emu = priv(dev);

	emu_lock(emu);
	emu->rx_limit = mtu + EMU_OVERHEAD;
	emu_unlock(emu);
	return 0;
}

static int
vlan_offload_set(struct rte_eth_dev *dev, int mask)
{
	struct emu *emu = priv(dev);

	if (!(mask & RTE_ETH_VLAN_STRIP_MASK))
		return 0;
	emu_lock(emu);
	emu->rx_offloads = dev->data->dev_conf.rxmode.offloads;
	emu->steer.epoch++; /* the generator knows what its descriptors say */
	emu_unlock(emu);
	return 0;
}

static int
flow_ops_get(struct rte_eth_dev *dev, const struct rte_flow_ops **ops)
{
	RTE_SET_USED(dev);
	*ops = &emu_flow_ops;
	return 0;
}

/* Everything that the port holds; ethdev frees the private data when it releases the port. */
int
emu_dev_close(struct rte_eth_dev *dev)
{
	struct emu *emu = priv(dev);
	uint16_t i;

	emu_driver_forget(emu);
	emu_dev_stop(dev);
	emu_engine_stop(emu);
	for (i = 0; i < dev->data->nb_rx_queues; i++)
		emu_rx_queue_release(dev, i);
	for (i = 0; i < dev->data->nb_tx_queues; i++)
		emu_tx_queue_release(dev, i);
	emu_flow_free_all(emu);
	emu_destroy(emu);
	return 0;
}

const struct eth_dev_ops emu_ops = {
	.dev_configure = dev_configure,
	.dev_start = dev_start,
	.dev_stop = dev_stop,
	.dev_close = emu_dev_close,
	.dev_set_link_up = dev_set_link_up,
	.dev_set_link_down = dev_set_link_down,
	.link_update = link_update,
	.dev_infos_get = dev_infos_get,
	.dev_supported_ptypes_get = supported_ptypes,
	.mtu_set = mtu_set,
	.vlan_offload_set = vlan_offload_set,
	.promiscuous_enable = emu_promiscuous_enable,
	.promiscuous_disable = emu_promiscuous_disable,
	.allmulticast_enable = emu_allmulticast_enable,
	.allmulticast_disable = emu_allmulticast_disable,
	.mac_addr_set = emu_mac_set,
	.mac_addr_add = emu_mac_add,
	.mac_addr_remove = emu_mac_remove,
	.reta_update = emu_reta_update,
	.reta_query = emu_reta_query,
	.rss_hash_update = emu_rss_hash_update,
	.rss_hash_conf_get = emu_rss_hash_get,
	.flow_ops_get = flow_ops_get,
	.stats_get = emu_stats_get,
	.stats_reset = emu_stats_reset,
	.xstats_get = emu_xstats_get,
	.xstats_reset = emu_stats_reset,
	.xstats_get_names = emu_xstats_names,
	.rx_queue_setup = emu_rx_queue_setup,
	.rx_queue_release = emu_rx_queue_release,
	.rx_queue_start = emu_rx_queue_start,
	.rx_queue_stop = emu_rx_queue_stop,
	.rxq_info_get = emu_rxq_info,
	.tx_queue_setup = emu_tx_queue_setup,
	.tx_queue_release = emu_tx_queue_release,
	.tx_queue_start = emu_tx_queue_start,
	.tx_queue_stop = emu_tx_queue_stop,
	.txq_info_get = emu_txq_info,
	.tx_done_cleanup = emu_tx_done_cleanup,
};
