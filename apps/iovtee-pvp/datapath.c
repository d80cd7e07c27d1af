/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "datapath.h"
#include "message.h"
#include "port.h"
#include "rte_pmd_emunic.h"

/* Enough for all rings full, small enough for a datapath's buffers to stay in the last-level cache. */
#define POOL_SIZE  4095
#define POOL_CACHE 256

/* Of the generated traffic. */
#define FLOWS 16

/*
 * The uplink's receive ring holds half of what a virtqueue can take, its transmit ring as much:
 * what piles up in front of a core that was away for a while finds room behind it. Longer rings
 * only make the baseline slower, because more buffers are in use (docs/performance.md).
 */
#define VIRTQUEUE_SIZE 256
#define UPLINK_RX_DESC (VIRTQUEUE_SIZE / 2)
#define UPLINK_TX_DESC VIRTQUEUE_SIZE

#define LINK_TIMEOUT_MS 5000

/* Larger than any expanded template; a longer one is an error, never cut. */
#define DEVARGS_MAX 512

/*
 * The emulated NIC is stepped by the NF's core. It checks the payload of a sample only: its CPU
 * would pull every cache line out of the switch's cache, which no NIC's DMA read does.
 */
#define EMUNIC "net_emunic@I,engine=step,gen=1,start=manual,verify=64"
#define VIRTIO "net_virtio_user@I,path=@S,mac=@M,queue_size=" RTE_STR(VIRTQUEUE_SIZE)
#define PLUGIN "librte_net_iovtee.so"

const struct datapath_spec datapath_specs[] = {
	{
		.name = DATAPATH_BASELINE,
		.what = "DPDK's net_vhost, split ring: the baseline",
		.uplink = EMUNIC,
		.vhost = "net_vhost@I,iface=@S,queues=1",
		.nf = VIRTIO,
		.plugin = "librte_net_vhost.so",
		.uplink_queues = 1,
	},
	{
		.name = "vhost-any-order",
		.what = "net_vhost, its guest without VIRTIO_F_IN_ORDER, like those of the plugin",
		.uplink = EMUNIC,
		.vhost = "net_vhost@I,iface=@S,queues=1",
		.nf = VIRTIO ",in_order=0",
		.plugin = "librte_net_vhost.so",
		.uplink_queues = 1,
	},
	{
		.name = "vhost-packed",
		.what = "net_vhost, packed ring",
		.uplink = EMUNIC,
		.vhost = "net_vhost@I,iface=@S,queues=1",
		.nf = VIRTIO ",packed_vq=1",
		.plugin = "librte_net_vhost.so",
		.uplink_queues = 1,
	},
	{
		.name = "iovtee-rx",
		.what = "zero-copy receive, only the NF's MAC in its queue (trust=0)",
		.uplink = "net_iovtee_uplink@I,dev(" EMUNIC ",rxq=2)",
		.vhost = "net_iovtee_vhost@I,iface=@S,uplink=net_iovtee_uplink@I,rxq=1,mac=@M"
			 ",tx-zero-copy=off",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.uplink_queues = 2,
	},
	{
		.name = "iovtee-rx-packed",
		.what = "the same with a packed ring",
		.uplink = "net_iovtee_uplink@I,dev(" EMUNIC ",rxq=2)",
		.vhost = "net_iovtee_vhost@I,iface=@S,uplink=net_iovtee_uplink@I,rxq=1,mac=@M"
			 ",tx-zero-copy=off",
		.nf = VIRTIO ",packed_vq=1",
		.plugin = PLUGIN,
		.uplink_queues = 2,
	},
	{
		.name = "iovtee",
		.what = "zero-copy both ways: headers copied, payload in place (trust=0)",
		.uplink = "net_iovtee_uplink@I,dev(" EMUNIC ",rxq=2)",
		.vhost = "net_iovtee_vhost@I,iface=@S,uplink=net_iovtee_uplink@I,rxq=1,mac=@M",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.uplink_queues = 2,
		.segments = true,
	},
	{
		.name = "iovtee-trust",
		.what = "zero-copy both ways, whole packets in place (trust=1)",
		.uplink = "net_iovtee_uplink@I,dev(" EMUNIC ")",
		.vhost =
			"net_iovtee_vhost@I,iface=@S,uplink=net_iovtee_uplink@I,rxq=0,mac=@M,trust=1"
			",tx-zero-copy=whole",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.uplink_queues = 1,
	},
	{
		.name = "iovtee-copy",
		.what = "the plugin's copy path, no queue mapped",
		.uplink = EMUNIC,
		.vhost = "net_iovtee_vhost@I,iface=@S,mac=@M",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.uplink_queues = 1,
	},
};

static_assert(RTE_DIM(datapath_specs) <= MAX_DATAPATHS, "raise MAX_DATAPATHS");

const unsigned int datapath_spec_count = RTE_DIM(datapath_specs);

const struct datapath_spec *
datapath_find(const char *name)
{
	for (unsigned int i = 0; i < datapath_spec_count; i++) {
		if (strcmp(datapath_specs[i].name, name) == 0)
			return &datapath_specs[i];
	}
	return NULL;
}

/* What the words of a template stand for. */
struct words {
	char number[12];
	char socket[108]; /* sizeof(sun_path) */
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
};

static int
words_fill(struct words *w, const struct datapath *dp, const char *dir)
{
	snprintf(w->number, sizeof(w->number), "%u", dp->id);
	rte_ether_format_addr(w->mac, sizeof(w->mac), &dp->nf_mac);
	if (snprintf(w->socket, sizeof(w->socket), "%s/%u.sock", dir, dp->id) >=
		(int)sizeof(w->socket)) {
		pvp_error("socket folder '%s' is too long for a socket; set a shorter TMPDIR", dir);
		return -ENAMETOOLONG;
	}
	return 0;
}

static const char *
word(const struct words *w, char key)
{
	switch (key) {
	case 'I':
		return w->number;
	case 'S':
		return w->socket;
	case 'M':
		return w->mac;
	default:
		return NULL;
	}
}

static int
expand(char *out, size_t size, const char *template, const struct words *w)
{
	size_t used = 0;

	for (const char *p = template; *p != '\0'; p++) {
		const char *value = *p == '@' ? word(w, p[1]) : NULL;
		const size_t len = value != NULL ? strlen(value) : 1;

		if (used + len >= size)
			return -E2BIG;
		memcpy(out + used, value != NULL ? value : p, len);
		used += len;
		if (value != NULL)
			p++;
	}
	out[used] = '\0';
	return 0;
}

static struct rte_mempool *
pool_create(const char *use, unsigned int id)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "pvp_%s_%u", use, id);
	pool = rte_pktmbuf_pool_create(name, POOL_SIZE, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
		SOCKET_ID_ANY);
	if (pool == NULL)
		pvp_error("no memory for %u packet buffers: %s; give EAL more hugepages (-m 1024)",
			POOL_SIZE, rte_strerror(rte_errno));
	return pool;
}

/* Create one port of the datapath and count it. */
static int
add_port(struct datapath *dp, const char *template, const struct words *w, uint16_t *port)
{
	char devargs[DEVARGS_MAX];
	int ret;

	ret = expand(devargs, sizeof(devargs), template, w);
	if (ret == 0)
		ret = port_create(devargs, port);
	if (ret < 0) {
		pvp_error("datapath %s: cannot create port '%s': %s; is its plugin loaded "
			  "(-d .../%s)?",
			dp->spec->name, devargs, strerror(-ret), dp->spec->plugin);
		return ret;
	}
	dp->ports++;
	return 0;
}

static int
start_port(const struct datapath *dp, uint16_t port, uint16_t rxq, uint16_t rx_desc,
	uint16_t tx_desc, struct rte_mempool *pool)
{
	const int ret = port_start(port, rxq, rx_desc, tx_desc, dp->spec->segments, pool);

	if (ret < 0)
		pvp_error("datapath %s: cannot start port %u: %s; see the log above",
			dp->spec->name, port, strerror(-ret));
	return ret;
}

static int
open_ports(struct datapath *dp, const struct words *w)
{
	const struct datapath_spec *spec = dp->spec;
	char name[RTE_ETH_NAME_MAX_LEN];
	int ret;

	ret = add_port(dp, spec->uplink, w, &dp->uplink);
	if (ret < 0)
		return ret;
	snprintf(name, sizeof(name), "net_emunic%u", dp->id);
	ret = rte_eth_dev_get_port_by_name(name, &dp->device);
	if (ret < 0) {
		pvp_error("datapath %s: no port %s behind its uplink", spec->name, name);
		return ret;
	}
	/* As many packets, if each takes two descriptors. */
	ret = start_port(dp, dp->uplink, spec->uplink_queues, UPLINK_RX_DESC,
		UPLINK_TX_DESC << spec->segments, dp->switch_pool);
	if (ret < 0)
		return ret;
	/* The vhost port listens from its start on, the NF connects to it when it is created. */
	ret = add_port(dp, spec->vhost, w, &dp->vhost);
	if (ret == 0)
		ret = start_port(dp, dp->vhost, 1, VIRTQUEUE_SIZE, VIRTQUEUE_SIZE, dp->switch_pool);
	if (ret == 0)
		ret = add_port(dp, spec->nf, w, &dp->nf);
	if (ret == 0)
		ret = start_port(dp, dp->nf, 1, VIRTQUEUE_SIZE, VIRTQUEUE_SIZE, dp->nf_pool);
	if (ret < 0)
		return ret;
	ret = port_wait_link(dp->vhost, LINK_TIMEOUT_MS);
	if (ret < 0)
		pvp_error("datapath %s: no NF on %s after %u ms; does EAL have "
			  "--single-file-segments?",
			spec->name, w->socket, LINK_TIMEOUT_MS);
	return ret;
}

int
datapath_open(struct datapath *dp, const struct datapath_spec *spec, const char *dir)
{
	struct words w;
	int ret;

	memset(dp, 0, sizeof(*dp));
	dp->spec = spec;
	dp->id = spec - datapath_specs;
	dp->nf_mac = (struct rte_ether_addr){{0x02, 0x4e, 0x46, 0, 0, dp->id + 1}};
	ret = words_fill(&w, dp, dir);
	if (ret < 0)
		return ret;
	dp->switch_pool = pool_create("switch", dp->id);
	dp->nf_pool = pool_create("nf", dp->id);
	ret = dp->switch_pool == NULL || dp->nf_pool == NULL ? -ENOMEM : open_ports(dp, &w);
	if (ret < 0)
		datapath_close(dp);
	return ret;
}

int
datapath_set_traffic(const struct datapath *dp, unsigned int frame, unsigned int rate)
{
	/* The source is patient: it waits for a descriptor, so that overload is no loss. */
	const struct rte_pmd_emunic_gen gen = {
		.frame = frame - RTE_ETHER_CRC_LEN,
		.flows = FLOWS,
		.dst = dp->nf_mac,
		.rate = rate,
		.pause = 1,
	};
	const int ret = rte_pmd_emunic_gen_set(dp->device, &gen);

	if (ret < 0)
		pvp_error("datapath %s: the emulated NIC cannot generate %u-byte frames: %s",
			dp->spec->name, frame, strerror(-ret));
	return ret;
}

void
datapath_close(struct datapath *dp)
{
	const uint16_t ports[] = {dp->uplink, dp->vhost, dp->nf};

	while (dp->ports > 0)
		port_remove(ports[--dp->ports]);
	rte_mempool_free(dp->nf_pool);
	rte_mempool_free(dp->switch_pool);
	dp->nf_pool = NULL;
	dp->switch_pool = NULL;
}
