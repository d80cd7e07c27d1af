/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "build.h"
#include "message.h"
#include "port.h"

/* Larger than any expanded template; a longer one is an error, never cut. */
#define DEVARGS_MAX 512

uint16_t
build_uplink_queues(const struct setup *setup)
{
	return setup->spec->first_queue +
		(setup->spec->queue_each ? setup_nfs(setup) : setup->ports);
}

struct rte_ether_addr
datapath_nf_mac(const struct datapath *dp, unsigned int number)
{
	return (struct rte_ether_addr){{0x02, 0x4e, 0x46, 0, dp->id, number}};
}

int
build_words(struct words *w, const struct datapath *dp, unsigned int number, const char *dir)
{
	const struct rte_ether_addr mac = datapath_nf_mac(dp, number);

	snprintf(w->datapath, sizeof(w->datapath), "%u", dp->id);
	snprintf(w->nf, sizeof(w->nf), "%u_%u", dp->id, number);
	snprintf(w->queues, sizeof(w->queues), "%u", build_uplink_queues(&dp->setup));
	snprintf(w->queue, sizeof(w->queue), "%u", dp->spec->first_queue + number);
	rte_ether_format_addr(w->mac, sizeof(w->mac), &mac);
	if (snprintf(w->socket, sizeof(w->socket), "%s/%s.sock", dir, w->nf) >=
		(int)sizeof(w->socket)) {
		pvp_error("socket folder '%s' is too long for a socket; set a shorter TMPDIR", dir);
		return -ENAMETOOLONG;
	}
	return 0;
}

int
build_port(struct datapath *dp, const char *template, const struct words *w, uint16_t *port)
{
	char devargs[DEVARGS_MAX];
	int ret;

	ret = template_expand(devargs, sizeof(devargs), template, w);
	if (ret == 0)
		ret = port_create(devargs, port);
	if (ret < 0) {
		pvp_error("datapath %s: cannot create port '%s': %s; is its plugin loaded "
			  "(-d .../%s)?",
			dp->spec->name, devargs, strerror(-ret), dp->spec->plugin);
		return ret;
	}
	dp->created[dp->created_count++] = *port;
	return 0;
}

int
build_start(const struct datapath *dp, uint16_t port, uint16_t rxq, uint16_t rx_desc,
	uint16_t tx_desc, struct rte_mempool *pool)
{
	const int ret = port_start(port, rxq, rx_desc, tx_desc, dp->spec->segments, pool);

	if (ret < 0)
		pvp_error("datapath %s: cannot start port %u: %s; see the log above",
			dp->spec->name, port, strerror(-ret));
	return ret;
}

void
build_connect(struct datapath *dp, const struct switch_port *port, const struct rte_ether_addr *mac)
{
	if (mac != NULL) {
		const uint64_t key = mac_key(mac);

		dp->route[route_index(key)] = (struct route){key, dp->port_count};
	}
	dp->port[dp->port_count++] = *port;
}
