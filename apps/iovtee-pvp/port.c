/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "message.h"
#include "port.h"

int
port_create(const char *devargs, uint16_t *port)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	const char *comma = strchrnul(devargs, ',');
	int ret;

	snprintf(name, sizeof(name), "%.*s", (int)(comma - devargs), devargs);
	/* Not rte_eal_hotplug_add(), which some versions do only for devargs of less than 128 bytes. */
	ret = rte_vdev_init(name, *comma == '\0' ? "" : comma + 1);
	if (ret < 0)
		return ret;
	return rte_eth_dev_get_port_by_name(name, port);
}

int
port_start(uint16_t port, uint16_t rxq, uint16_t rx_desc, uint16_t tx_desc, bool segments,
	struct rte_mempool *pool)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int ret = rte_eth_dev_info_get(port, &info);

	if (ret < 0)
		return ret;
	if (segments) {
		conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
		conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	}
	ret = rte_eth_dev_configure(port, rxq, 1, &conf);
	if (ret == 0)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_desc, &tx_desc);
	for (uint16_t q = 0; ret == 0 && q < rxq; q++)
		ret = rte_eth_rx_queue_setup(port, q, rx_desc, SOCKET_ID_ANY, NULL, pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(port, 0, tx_desc, SOCKET_ID_ANY, NULL);
	if (ret == 0)
		ret = rte_eth_dev_start(port);
	if (ret == 0) {
		/* Not every port knows promiscuous mode; those that do not take every frame. */
		ret = rte_eth_promiscuous_enable(port);
		if (ret == -ENOTSUP)
			ret = 0;
	}
	return ret;
}

int
port_wait_link(uint16_t port, unsigned int ms)
{
	struct rte_eth_link link;

	for (; ms > 0; ms--) {
		if (rte_eth_link_get_nowait(port, &link) == 0 &&
			link.link_status == RTE_ETH_LINK_UP)
			return 0;
		rte_delay_us_sleep(1000);
	}
	return -ETIMEDOUT;
}

void
port_remove(uint16_t port)
{
	char name[RTE_ETH_NAME_MAX_LEN];

	if (rte_eth_dev_get_name_by_port(port, name) != 0)
		return;
	rte_eth_dev_stop(port);
	rte_eth_dev_close(port);
	if (rte_vdev_uninit(name) != 0)
		pvp_error("port %s could not be removed; its memory stays in use until exit", name);
}

int
port_xstat(uint16_t port, const char *name, uint64_t *value)
{
	uint64_t id;

	if (rte_eth_xstats_get_id_by_name(port, name, &id) != 0)
		return -ENOENT;
	return rte_eth_xstats_get_by_id(port, &id, value, 1) == 1 ? 0 : -ENOENT;
}
