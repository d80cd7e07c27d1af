/* SPDX-License-Identifier: BSD-3-Clause */
/* net_iovtee_vhost: probe and remove. */
#include <ethdev_vdev.h>
#include <rte_bus_vdev.h>
#include <rte_devargs.h>
#include <rte_malloc.h>

#include "control.h"
#include "log.h"
#include "ports.h"
#include "vhost.h"
#include "vhost_driver.h"

static const struct rte_eth_link link_down = {
	.link_speed = RTE_ETH_SPEED_NUM_10G,
	.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
	.link_status = RTE_ETH_LINK_DOWN,
};

static int
init_mac(struct rte_eth_dev *dev, struct vhost_conf *conf)
{
	dev->data->mac_addrs = rte_zmalloc("iovtee_mac", sizeof(conf->mac), 0);
	if (dev->data->mac_addrs == NULL)
		return -ENOMEM;
	if (!conf->has_mac)
		rte_eth_random_addr(conf->mac.addr_bytes);
	*dev->data->mac_addrs = conf->mac;
	return 0;
}

static void
init_queues(struct vhost_port *p)
{
	for (uint16_t i = 0; i < VHOST_QUEUES_MAX; i++) {
		p->txq[i].port = p;
		p->txq[i].queue = i;
		p->txq[i].call.fd = -1;
		p->txq[i].map.reason = MAP_PLAIN;
	}
	for (uint16_t i = 0; i < VHOST_PORT_QUEUES_MAX; i++) {
		p->sender[i].port = p;
		p->sender[i].target = &p->txq[i % p->conf.queues];
		p->rxq[i].port = p;
		p->rxq[i].queue = i;
		p->rxq[i].call.fd = -1;
	}
}

/* A switch that adds its ports while it runs does so in any order; those of its command line are all known. */
static bool
may_come(const struct rte_devargs *own, const char *uplink)
{
	const struct rte_devargs *da;

	if (strncmp(uplink, UPLINK_DRIVER, strlen(UPLINK_DRIVER)) != 0)
		return false;
	if (own->type != RTE_DEVTYPE_VIRTUAL)
		return true;
	RTE_EAL_DEVARGS_FOREACH("vdev", da)
		if (strcmp(da->name, uplink) == 0)
			return true;
	return false;
}

static int
claim_uplink(struct vhost_port *p, const struct rte_devargs *own)
{
	uint16_t port;
	bool other;
	int ret = 0;

	if (p->conf.uplink[0] == '\0')
		return 0;
	other = rte_eth_dev_get_port_by_name(p->conf.uplink, &port) == 0;
	control_lock();
	p->uplink = uplink_find(p->conf.uplink);
	if (p->uplink != NULL) {
		ret = mapping_claim(p);
		if (ret < 0)
			p->uplink = NULL;
	} else if (other && rte_eth_devices[port].dev_ops != &uplink_ops) {
		IOVTEE_LOG(ERR, "%s: uplink=%s is not a net_iovtee_uplink port", p->data->name,
			p->conf.uplink);
		ret = -ENODEV;
	} else if (!may_come(own, p->conf.uplink)) {
		IOVTEE_LOG(ERR,
			"%s: uplink=%s does not exist: name a " UPLINK_DRIVER
			" port, and give the --vdev of it, too",
			p->data->name, p->conf.uplink);
		ret = -ENODEV;
	} else {
		IOVTEE_LOG(WARNING, "%s: there is no uplink=%s: packets are copied until there is",
			p->data->name, p->conf.uplink);
		for (uint16_t i = 0; i < p->conf.queues; i++)
			p->txq[i].map.reason = MAP_UPLINK_GONE;
	}
	control_unlock();
	return ret;
}

static int
init_port(struct rte_eth_dev *dev, const struct vhost_conf *conf, const struct rte_devargs *own)
{
	struct vhost_port *p = vhost_of(dev);
	int ret;

	p->data = dev->data;
	p->conf = *conf;
	p->vid = -1;
	init_queues(p);
	vhost_set_functions(dev);
	dev->data->dev_link = link_down;
	dev->data->dev_flags |= RTE_ETH_DEV_INTR_LSC;
	dev->data->promiscuous = 1;
	dev->data->all_multicast = 1;
	ret = init_mac(dev, &p->conf);
	if (ret < 0)
		return ret;
	ret = claim_uplink(p, own);
	if (ret < 0)
		return ret;
	/* A guest may connect at once, and a connection that is refused then is not tried again. */
	control_lock();
	ports_add(dev);
	control_unlock();
	ret = vhost_listen(p);
	if (ret < 0) {
		control_lock();
		mapping_unclaim(p);
		ports_remove(dev);
		control_unlock();
	}
	return ret;
}

static int
vhost_probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	const char *args = rte_vdev_device_args(vdev);
	struct vhost_conf conf;
	struct rte_eth_dev *dev;
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		IOVTEE_LOG(ERR, "%s: secondary processes are not supported", name);
		return -ENOTSUP;
	}
	ret = vhost_args_parse(name, args != NULL ? args : "", &conf);
	if (ret == 0)
		ret = control_init();
	if (ret < 0)
		return ret;
	dev = rte_eth_vdev_allocate(vdev, sizeof(struct vhost_port));
	if (dev == NULL)
		return -ENOMEM;
	ret = init_port(dev, &conf, rte_dev_devargs(&vdev->device));
	if (ret < 0) {
		rte_eth_dev_release_port(dev);
		return ret;
	}
	rte_eth_dev_probing_finish(dev);
	return 0;
}

int
vhost_close(struct rte_eth_dev *dev)
{
	struct vhost_port *p = vhost_of(dev);

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return 0;
	control_lock();
	p->started = false;
	vhost_sync(p);
	control_unlock();
	/* Disconnects the guest, through our callbacks: not under the control lock. */
	vhost_unlisten(p);
	control_lock();
	/* librte_vhost tells of no end of the connection then. */
	vhost_drop_guest(p);
	p->vid = -1;
	mapping_unclaim(p);
	ports_remove(dev);
	control_unlock();
	mapping_cancel_deferred(p);
	return 0;
}

static int
vhost_remove(struct rte_vdev_device *vdev)
{
	uint16_t port;

	if (rte_eth_dev_get_port_by_name(rte_vdev_device_name(vdev), &port) != 0)
		return 0; /* closed already */
	return rte_eth_dev_close(port);
}

static struct rte_vdev_driver vhost_driver = {
	.probe = vhost_probe,
	.remove = vhost_remove,
};

RTE_PMD_REGISTER_VDEV(net_iovtee_vhost, vhost_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_iovtee_vhost,
	"iface=<path> client=<0|1> queues=<n> uplink=<port|n> rxq=<q> mac=<addr> vlan=<id> "
	"trust=<0|1> reserve=<percent> starve=<host|nic> headroom=<auto|strict|guest> "
	"tx-zero-copy=<off|payload|whole> tx-offload=<off|csum|tso> state=<folder|off>");
