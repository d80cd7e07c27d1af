/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "build.h"
#include "datapath.h"
#include "guest.h"
#include "message.h"
#include "port.h"
#include "steer.h"
#include "template.h"

/*
 * Enough for all rings full, small enough for a datapath's buffers to stay in the last-level cache; and
 * what each further NF adds.
 */
#define POOL_SIZE  4095
#define POOL_MORE  1024
#define POOL_CACHE 256

/*
 * The uplink's receive ring holds half of what a virtqueue can take, its transmit ring as much:
 * what piles up in front of a core that was away for a while finds room behind it. Longer rings
 * only make the baseline slower, because more buffers are in use (docs/performance.md).
 */
#define UPLINK_RX_DESC (VIRTQUEUE_SIZE / 2)
#define UPLINK_TX_DESC VIRTQUEUE_SIZE
#define UPLINK_TX_MAX  4096u

unsigned int
datapath_ports_needed(const struct setup *setup)
{
	const struct datapath_spec *spec = setup->spec;

	return 1 + spec->wrapped + (spec->peer != NULL) +
		(spec->nf != NULL ? (setup->guests ? 1 : 2) * setup_nfs(setup) : 0);
}

static struct rte_mempool *
pool_create(const struct datapath *dp, const char *use)
{
	const unsigned int size = POOL_SIZE + POOL_MORE * (setup_nfs(&dp->setup) - 1);
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "pvp_%s_%u", use, dp->id);
	pool = rte_pktmbuf_pool_create(name, size, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
		SOCKET_ID_ANY);
	if (pool == NULL)
		pvp_error("no memory for %u packet buffers: %s; give EAL more hugepages (-m 1024)",
			size, rte_strerror(rte_errno));
	return pool;
}

static int
note_nic(struct datapath *dp, const char *prefix)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	int ret;

	snprintf(name, sizeof(name), "%s%u", prefix, dp->id);
	ret = rte_eth_dev_get_port_by_name(name, &dp->nic[dp->nic_count]);
	if (ret < 0)
		pvp_error("datapath %s: no port %s", dp->spec->name, name);
	else
		dp->nic_count++;
	return ret;
}

/* As many packets, if each takes two descriptors; what NFs side by side send shares the ring. */
static uint16_t
uplink_tx_desc(const struct datapath *dp)
{
	const unsigned int want = (UPLINK_TX_DESC << dp->spec->segments) * dp->setup.ports;

	return RTE_MIN(want, UPLINK_TX_MAX);
}

static int
open_uplink(struct datapath *dp, const struct words *w)
{
	const struct datapath_spec *spec = dp->spec;
	struct switch_port port = {
		.queues = build_uplink_queues(&dp->setup),
		.fill = BURST * dp->setup.ports,
		.kind = PORT_UPLINK,
	};
	int ret;

	ret = build_port(dp, spec->uplink, w, &port.id);
	if (ret == 0 && spec->nics > 0)
		ret = note_nic(dp, "net_emunic");
	if (ret == 0)
		ret = build_start(dp, port.id, port.queues, UPLINK_RX_DESC, uplink_tx_desc(dp),
			dp->switch_pool);
	if (ret == 0)
		build_connect(dp, &port, NULL);
	return ret;
}

/* What a limit has instead of NFs. */
static int
open_peer(struct datapath *dp, const struct words *w)
{
	const struct rte_ether_addr mac = datapath_nf_mac(dp, 0);
	struct switch_port port = {.queues = 1, .fill = BURST, .kind = dp->spec->peer_kind};
	int ret;

	ret = build_port(dp, dp->spec->peer, w, &port.id);
	if (ret == 0 && dp->spec->nics > 1)
		ret = note_nic(dp, "net_emunic_b");
	if (ret == 0)
		ret = build_start(dp, port.id, 1, UPLINK_RX_DESC, UPLINK_TX_DESC, dp->nf_pool);
	if (ret == 0)
		build_connect(dp, &port, &mac);
	return ret;
}

/* Frames go from NF to NF in a chain, else back to the NIC. */
static int
link_nfs(struct datapath *dp)
{
	struct rte_ether_addr nic;
	const int ret = rte_eth_macaddr_get(dp->nic[0], &nic);

	for (unsigned int i = 0; ret == 0 && i < dp->nf_count; i++)
		dp->nf[i].next = dp->setup.chain > 1 && i + 1 < dp->nf_count ? dp->nf[i + 1].mac
									     : nic;
	return ret;
}

/* With NFs side by side, each one's frames come in a queue of its own, if the datapath does not see to it. */
static int
steer(const struct datapath *dp)
{
	int ret = 0;

	if (dp->setup.ports == 1 || dp->spec->first_queue > 0)
		return 0;
	for (unsigned int i = 0; ret == 0 && i < dp->nf_count; i++)
		ret = steer_to_queue(dp->port[0].id, &dp->nf[i].mac, i);
	return ret;
}

static int
open_ports(struct datapath *dp, const char *dir)
{
	struct words w;
	int ret;

	ret = build_words(&w, dp, 0, dir);
	if (ret == 0)
		ret = open_uplink(dp, &w);
	if (ret == 0 && dp->spec->peer != NULL)
		return open_peer(dp, &w);
	if (ret == 0)
		ret = build_nfs(dp, dir);
	if (ret == 0)
		ret = steer(dp);
	return ret < 0 ? ret : link_nfs(dp);
}

static void
set_destination(struct rte_mempool *pool, void *mac, void *object, unsigned int i)
{
	struct rte_mbuf *m = object;
	struct rte_ether_hdr *eth = RTE_PTR_ADD(m->buf_addr, RTE_PKTMBUF_HEADROOM);

	eth->dst_addr = *(const struct rte_ether_addr *)mac;
}

/* Ports without NICs deliver their buffers as they are: those of each port are for the other one. */
static void
address_buffers(const struct datapath *dp)
{
	struct rte_ether_addr peer = datapath_nf_mac(dp, 0), uplink = datapath_nf_mac(dp, 1);

	rte_mempool_obj_iter(dp->switch_pool, set_destination, &peer);
	rte_mempool_obj_iter(dp->nf_pool, set_destination, &uplink);
}

int
datapath_open(struct datapath *dp, const struct setup *setup, unsigned int id, const char *dir)
{
	int ret;

	memset(dp, 0, sizeof(*dp));
	dp->spec = setup->spec;
	dp->setup = *setup;
	dp->id = id;
	dp->switch_pool = pool_create(dp, "switch");
	dp->nf_pool = pool_create(dp, "nf");
	ret = dp->switch_pool == NULL || dp->nf_pool == NULL ? -ENOMEM : 0;
	if (ret == 0 && dp->spec->nics == 0)
		address_buffers(dp);
	if (ret == 0)
		ret = open_ports(dp, dir);
	if (ret < 0)
		datapath_close(dp);
	return ret;
}

void
datapath_close(struct datapath *dp)
{
	while (dp->nf_count > 0) {
		struct guest *guest = dp->nf[--dp->nf_count].guest;

		if (guest != NULL)
			guest_close(guest);
	}
	while (dp->created_count > 0)
		port_remove(dp->created[--dp->created_count]);
	rte_mempool_free(dp->nf_pool);
	rte_mempool_free(dp->switch_pool);
	dp->nf_pool = NULL;
	dp->switch_pool = NULL;
}
