/* SPDX-License-Identifier: BSD-3-Clause */
/* Probe and remove, and the list of all ports. */
#include <errno.h>

#include <rte_errno.h>
#include <rte_malloc.h>
#include <bus_vdev_driver.h>
#include <ethdev_vdev.h>

#include "emunic.h"

RTE_LOG_REGISTER(emu_logtype, pmd.net.emunic, NOTICE);

static TAILQ_HEAD(, emu) ports = TAILQ_HEAD_INITIALIZER(ports);
static pthread_mutex_t ports_mutex = PTHREAD_MUTEX_INITIALIZER;

/** The device of a port, NULL if it is none of this driver's. */
struct emu *
emu_find(uint16_t port_id)
{
	if (!rte_eth_dev_is_valid_port(port_id) || rte_eth_devices[port_id].dev_ops != &emu_ops)
		return NULL;
	return rte_eth_devices[port_id].data->dev_private;
}

/** Visit all ports, none of which goes away meanwhile, until a visit returns other than 0. */
int
emu_foreach(int (*visit)(struct emu *emu, void *arg), void *arg)
{
	struct emu *emu;
	int ret = 0;

	pthread_mutex_lock(&ports_mutex);
	TAILQ_FOREACH(emu, &ports, next) {
		ret = visit(emu, arg);
		if (ret != 0)
			break;
	}
	pthread_mutex_unlock(&ports_mutex);
	return ret;
}

static void
remember(struct emu *emu)
{
	pthread_mutex_lock(&ports_mutex);
	TAILQ_INSERT_TAIL(&ports, emu, next);
	pthread_mutex_unlock(&ports_mutex);
}

/** When this returns no visitor is at the port any more. */
void
emu_driver_forget(struct emu *emu)
{
	pthread_mutex_lock(&ports_mutex);
	TAILQ_REMOVE(&ports, emu, next);
	pthread_mutex_unlock(&ports_mutex);
}

/** Free what a device holds besides queues and thread. */
void
emu_destroy(struct emu *emu)
{
	emu_dma_detach(emu);
	emu_gen_free(emu->gen);
	emu_replay_free(emu->replay);
	emu_verify_free(emu->verify);
	emu_dump_close(emu->dump);
	pthread_mutex_destroy(&emu->mutex);
}

static int
make_source(struct emu *emu)
{
	const struct rte_pmd_emunic_gen gen = {
		.frame = emu->conf.frame,
		.flows = emu->conf.flows,
		.dst = emu->conf.dst,
		.count = emu->conf.count,
		.rate = emu->conf.rate,
		.pause = emu->conf.pause,
	};

	emu_pace_set(&emu->pace, emu->conf.rate);
	emu->source_on = !emu->conf.manual;
	if (emu->conf.gen)
		return emu_gen_create(emu, &gen, &emu->gen);
	if (emu->conf.rx_pcap[0] != '\0')
		return emu_replay_open(emu->conf.rx_pcap, &emu->replay);
	return 0;
}

/* On failure emu_destroy() takes back what was made. */
static int
make_device(struct emu *emu)
{
	int ret;

	pthread_mutex_init(&emu->mutex, NULL);
	emu->rx_limit = emu->conf.max_frame;
	emu_steer_init(&emu->steer, &emu->conf.mac);
	emu->verify = emu_verify_create(emu->conf.verify, !emu->conf.loop);
	if (emu->verify == NULL)
		return -ENOMEM;
	ret = emu_dma_attach(emu);
	if (ret != 0) {
		EMU_LOG(ERR, "%s: cannot map EAL's memory: %s", emu->dev->device->name,
			rte_strerror(-ret));
		return ret;
	}
	ret = make_source(emu);
	if (ret == 0 && emu->conf.tx_pcap[0] != '\0')
		ret = emu_dump_open(emu->conf.tx_pcap, &emu->dump);
	return ret == 0 ? emu_engine_start(emu) : ret;
}

static int
make_port(struct rte_eth_dev *dev, const struct emu_conf *conf)
{
	struct emu *emu = dev->data->dev_private;

	dev->data->mac_addrs = rte_zmalloc_socket("emunic_macs",
		EMU_MAX_MACS * sizeof(struct rte_ether_addr), 0, dev->data->numa_node);
	if (dev->data->mac_addrs == NULL)
		return -ENOMEM;
	dev->data->mac_addrs[0] = conf->mac;
	dev->data->dev_flags |= RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	dev->data->dev_link.link_speed = RTE_ETH_SPEED_NUM_100G;
	dev->data->dev_link.link_duplex = RTE_ETH_LINK_FULL_DUPLEX;
	dev->dev_ops = &emu_ops;
	dev->rx_pkt_burst = emu_rx_burst;
	dev->tx_pkt_burst = emu_tx_burst;
	dev->tx_pkt_prepare = emu_tx_prepare;
	dev->rx_queue_count = emu_rx_queue_count;
	dev->rx_descriptor_status = emu_rx_desc_status;
	dev->tx_descriptor_status = emu_tx_desc_status;
	emu->conf = *conf;
	emu->dev = dev;
	emu->port_id = dev->data->port_id;
	return make_device(emu);
}

static int
probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	struct rte_eth_dev *dev;
	struct emu_conf conf;
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		EMU_LOG(ERR, "%s: the device lives in the primary process; use the port there",
			name);
		return -ENOTSUP;
	}
	ret = emu_args_parse(name, rte_vdev_device_args(vdev), &conf);
	if (ret != 0)
		return ret;
	if (vdev->device.numa_node == SOCKET_ID_ANY)
		vdev->device.numa_node = rte_socket_id();
	dev = rte_eth_vdev_allocate(vdev, sizeof(struct emu));
	if (dev == NULL) {
		EMU_LOG(ERR, "%s: no port left, or no memory for %zu bytes", name,
			sizeof(struct emu));
		return -ENOMEM;
	}
	ret = make_port(dev, &conf);
	if (ret != 0) {
		emu_destroy(dev->data->dev_private);
		rte_eth_dev_release_port(dev);
		return ret;
	}
	remember(dev->data->dev_private);
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int
remove_port(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	if (dev == NULL)
		return 0; /* closed before */
	emu_dev_close(dev);
	return rte_eth_dev_release_port(dev);
}

/* The bus wants -1 and rte_errno. */
static int
bus_result(int ret)
{
	if (ret == 0)
		return 0;
	rte_errno = -ret;
	return -1;
}

/* Without ethdev's lock, which DPDK's telemetry may hold while it waits for a lock of those who map. */
static struct rte_eth_dev *
port_of(const struct rte_vdev_device *vdev)
{
	uint16_t port = rte_eth_find_next_of(0, &vdev->device);

	return port < RTE_MAX_ETHPORTS ? &rte_eth_devices[port] : NULL;
}

static int
dma_map(struct rte_vdev_device *vdev, void *addr, uint64_t iova, size_t len)
{
	struct rte_eth_dev *dev = port_of(vdev);

	if (dev == NULL)
		return bus_result(-ENODEV);
	return bus_result(emu_dma_map(dev->data->dev_private, addr, iova, len));
}

/* A port that was closed accesses nothing: its mappings are gone with it. */
static int
dma_unmap(struct rte_vdev_device *vdev, void *addr, uint64_t iova, size_t len)
{
	struct rte_eth_dev *dev = port_of(vdev);

	RTE_SET_USED(addr);
	if (dev == NULL)
		return 0;
	return bus_result(emu_dma_unmap(dev->data->dev_private, iova, len));
}

static struct rte_vdev_driver emunic_driver = {
	.probe = probe,
	.remove = remove_port,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
};

RTE_PMD_REGISTER_VDEV(net_emunic, emunic_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_emunic,
	"rxq=<int> txq=<int> mac=<addr> engine=thread|step cpu=<int> max_frame=<int> "
	"rxq_stop=0|1 flow_rss=0|1 reta_keep=0|1 gen=0|1 frame=<int> flows=<int> origin=<int> dst=<addr> count=<int> rate=<int> "
	"pause=0|1 start=auto|manual rx_pcap=<file> tx_pcap=<file> loop=0|1 verify=<int> "
	"tx_offload=0|1");
