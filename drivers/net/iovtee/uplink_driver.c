/* SPDX-License-Identifier: BSD-3-Clause */
/* net_iovtee_uplink: probe and remove. */
#include <ethdev_vdev.h>
#include <rte_bus.h>
#include <rte_bus_vdev.h>
#include <rte_devargs.h>
#include <rte_errno.h>

#include "control.h"
#include "log.h"
#include "ports.h"
#include "mapping.h"
#include "uplink.h"
#include "uplink_args.h"

struct uplink *
uplink_find(const char *name)
{
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		struct rte_eth_dev *dev = ports_find(id, &uplink_ops);

		if (dev != NULL && strcmp(dev->data->name, name) == 0)
			return uplink_of(dev);
	}
	return NULL;
}

/* ---- events of the physical port ---- */

static int
on_phys_event(uint16_t phys_port, enum rte_eth_event_type event, void *arg, void *ret_param)
{
	struct rte_eth_dev *dev = arg;

	if (event == RTE_ETH_EVENT_INTR_LSC && dev->dev_ops->link_update != NULL)
		dev->dev_ops->link_update(dev, 0);
	return rte_eth_dev_callback_process(dev, event, ret_param);
}

/* ---- taking a port over ---- */

static int
port_of_device(const char *device, uint16_t *port)
{
	uint16_t p;

	for (p = 0; p < RTE_MAX_ETHPORTS; p++) {
		if (!rte_eth_dev_is_valid_port(p) || rte_eth_devices[p].device == NULL)
			continue;
		if (strcmp(rte_dev_name(rte_eth_devices[p].device), device) == 0) {
			*port = p;
			return 0;
		}
	}
	return -ENODEV;
}

/*
 * rte_dev_probe() tells secondary processes of the device, which some versions do only for devargs of less than 128
 * bytes (and refuse others): those of virtual devices, which are long, do not go that way.
 */
static int
probe_device(const struct rte_devargs *da, const char *devargs)
{
	if (strcmp(rte_bus_name(da->bus), "vdev") == 0)
		return rte_vdev_init(da->name, da->args);
	return rte_dev_probe(devargs);
}

/* dev(...): probe the device and find its port. */
static int
probe_phys(struct uplink *up, const char *name, const char *devargs)
{
	struct rte_devargs da;
	char device[RTE_DEV_NAME_MAX_LEN];
	int ret;

	memset(&da, 0, sizeof(da));
	if (rte_devargs_parse(&da, devargs) != 0) {
		IOVTEE_LOG(ERR, "%s: dev(%s): not the devargs of any device", name, devargs);
		return -EINVAL;
	}
	snprintf(device, sizeof(device), "%s", da.name);
	if (port_of_device(device, &up->phys_port) == 0) {
		rte_devargs_reset(&da);
		IOVTEE_LOG(ERR, "%s: dev(%s): the device is in use already; wrap it by port=%s",
			name, devargs, device);
		return -EEXIST;
	}
	ret = probe_device(&da, devargs);
	rte_devargs_reset(&da);
	if (ret < 0) {
		IOVTEE_LOG(ERR, "%s: dev(%s) cannot be probed: %s; check its name and driver", name,
			devargs, rte_strerror(-ret));
		return ret;
	}
	if (port_of_device(device, &up->phys_port) < 0) {
		IOVTEE_LOG(ERR, "%s: dev(%s) is not an Ethernet device", name, devargs);
		return -ENODEV;
	}
	up->own_phys = true;
	return 0;
}

static int
find_phys(struct uplink *up, const char *name, const char *port)
{
	if (rte_eth_dev_get_port_by_name(port, &up->phys_port) == 0)
		return 0;
	IOVTEE_LOG(ERR, "%s: port=%s does not exist; it must be probed before the uplink", name,
		port);
	return -ENODEV;
}

/* Drivers that neither a stopped port nor a queue that is set up again makes give back what they have posted. */
static const char *const buffer_keepers[] = {"net_virtio", "net_virtio_user"};

/* AF_XDP gives the kernel the pool's memory as a whole, and finds a packet's mbuf by its address in it. */
static const char *const memory_owners[] = {"net_af_xdp"};

/* Is the wrapped port's driver one of these, or not known? */
static bool
driven_by(uint16_t phys_port, const char *const *drivers, unsigned int n)
{
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(phys_port, &info) != 0)
		return true;
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(info.driver_name, drivers[i]) == 0)
			return true;
	return false;
}

/* Applications that walk ports skip owned ones. */
static int
own_phys_port(struct uplink *up, const char *name)
{
	int ret = rte_eth_dev_owner_new(&up->owner.id);

	if (ret == 0) {
		snprintf(up->owner.name, sizeof(up->owner.name), "%s", name);
		ret = rte_eth_dev_owner_set(up->phys_port, &up->owner);
	}
	if (ret != 0)
		IOVTEE_LOG(ERR, "%s: port %s is owned by somebody else; wrap a port only once",
			name, rte_eth_devices[up->phys_port].data->name);
	return ret;
}

static void
release_phys(struct uplink *up)
{
	struct rte_device *device = rte_eth_devices[up->phys_port].device;

	rte_eth_dev_callback_unregister(up->phys_port, RTE_ETH_EVENT_INTR_LSC, on_phys_event,
		(void *)-1);
	rte_eth_dev_callback_unregister(up->phys_port, RTE_ETH_EVENT_INTR_RMV, on_phys_event,
		(void *)-1);
	rte_eth_dev_owner_unset(up->phys_port, up->owner.id);
	if (up->own_phys && rte_dev_remove(device) < 0)
		IOVTEE_LOG(WARNING, "%s: the wrapped device cannot be removed", up->data->name);
}

static int
take_phys(struct rte_eth_dev *dev, const char *name, const struct uplink_args *args)
{
	struct uplink *up = uplink_of(dev);
	int ret;

	ret = args->dev[0] != '\0' ? probe_phys(up, name, args->dev)
				   : find_phys(up, name, args->port);
	if (ret < 0)
		return ret;
	ret = own_phys_port(up, name);
	if (ret < 0) {
		if (up->own_phys)
			rte_dev_remove(rte_eth_devices[up->phys_port].device);
		return ret;
	}
	up->own_memory = driven_by(up->phys_port, memory_owners, RTE_DIM(memory_owners));
	up->keeps_buffers = driven_by(up->phys_port, buffer_keepers, RTE_DIM(buffer_keepers));
	rte_eth_dev_callback_register(up->phys_port, RTE_ETH_EVENT_INTR_LSC, on_phys_event, dev);
	rte_eth_dev_callback_register(up->phys_port, RTE_ETH_EVENT_INTR_RMV, on_phys_event, dev);
	return 0;
}

/* ---- the wrapper's own port ---- */

static void
look_like(struct rte_eth_dev *dev, const struct rte_eth_dev *phys)
{
	dev->dev_ops = &uplink_ops;
	dev->rx_pkt_burst = uplink_rx_burst;
	dev->tx_pkt_burst = uplink_tx_burst;
	dev->tx_pkt_prepare = uplink_tx_prepare;
	/* The physical port's table of addresses is ours, too: it owns and fills it. */
	dev->data->mac_addrs = phys->data->mac_addrs;
	dev->data->numa_node = phys->data->numa_node;
	dev->data->mtu = phys->data->mtu;
	dev->data->dev_flags |= phys->data->dev_flags & RTE_ETH_DEV_INTR_LSC;
}

int
uplink_close(struct rte_eth_dev *dev)
{
	struct uplink *up = uplink_of(dev);

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return 0;
	control_lock();
	ports_remove(dev);
	mapping_uplink_stopping(up);
	mapping_uplink_gone(up);
	dev->data->mac_addrs = NULL;
	control_unlock();
	release_phys(up); /* takes ethdev's lock */
	control_lock();
	uplink_free_tees(up);
	control_unlock();
	return 0;
}

static int
uplink_probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	const char *args = rte_vdev_device_args(vdev);
	struct uplink_args parsed;
	struct rte_eth_dev *dev;
	struct uplink *up;
	int ret;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
		IOVTEE_LOG(ERR, "%s: secondary processes are not supported", name);
		return -ENOTSUP;
	}
	ret = uplink_args_parse(name, args != NULL ? args : "", &parsed);
	if (ret == 0)
		ret = control_init();
	if (ret < 0)
		return ret;
	dev = rte_eth_vdev_allocate(vdev, sizeof(*up));
	if (dev == NULL)
		return -ENOMEM;
	up = uplink_of(dev);
	up->data = dev->data;
	up->max_frame = parsed.max_frame;
	ret = take_phys(dev, name, &parsed);
	if (ret < 0) {
		rte_eth_dev_release_port(dev);
		return ret;
	}
	look_like(dev, &rte_eth_devices[up->phys_port]);
	control_lock();
	ports_add(dev);
	mapping_uplink_came(up);
	control_unlock();
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int
uplink_remove(struct rte_vdev_device *vdev)
{
	uint16_t port;

	if (rte_eth_dev_get_port_by_name(rte_vdev_device_name(vdev), &port) != 0)
		return 0; /* closed already */
	return rte_eth_dev_close(port);
}

static struct rte_vdev_driver uplink_driver = {
	.probe = uplink_probe,
	.remove = uplink_remove,
};

RTE_PMD_REGISTER_VDEV(net_iovtee_uplink, uplink_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_iovtee_uplink, "dev(<devargs>) | port=<name> max-frame=<n>");
