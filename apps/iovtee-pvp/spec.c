/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_common.h>

#include "spec.h"
#include "template.h"

/*
 * The emulated NIC is stepped by the NF's core. It checks the payload of a sample only: its CPU
 * would pull every cache line out of the switch's cache, which no NIC's DMA read does.
 */
#define NIC_ARGS "engine=step,gen=1,start=manual,verify=64,rxq=@N"
#define EMUNIC   "net_emunic@I," NIC_ARGS
#define WRAPPED  "net_iovtee_uplink@I,dev(" EMUNIC ")"
#define VHOST    "net_vhost@J,iface=@S,queues=1"
#define IOVTEE   "net_iovtee_vhost@J,iface=@S,mac=@M,uplink=net_iovtee_uplink@I,rxq=@Q"
#define VIRTIO   "net_virtio_user@J,path=@S,mac=@M,queue_size=" RTE_STR(VIRTQUEUE_SIZE)
#define PACKED   VIRTIO ",packed_vq=1"
/* As deep as the virtqueues; ids of ports on the same socket differ, and here each has its own. */
#define MEMIF(role) ",role=" role ",socket=@S,socket-abstract=no,rsize=" RTE_STR(VIRTQUEUE_LOG2)
#define PLUGIN      "librte_net_iovtee.so"
#define VHOST_PMD   "librte_net_vhost.so"
#define MEMIF_PMD   "librte_net_memif.so"

const struct datapath_spec datapath_specs[] = {
	{
		.name = DATAPATH_BASELINE,
		.what = "DPDK's net_vhost, split ring: the baseline",
		.uplink = EMUNIC,
		.vhost = VHOST,
		.nf = VIRTIO,
		.plugin = VHOST_PMD,
		.nics = 1,
		.guest = true,
	},
	{
		.name = "vhost-any-order",
		.what = "net_vhost, its guest without VIRTIO_F_IN_ORDER, like those of the plugin",
		.uplink = EMUNIC,
		.vhost = VHOST,
		.nf = VIRTIO ",in_order=0",
		.plugin = VHOST_PMD,
		.nics = 1,
	},
	{
		.name = "vhost-vector",
		.what = "net_vhost, the vector path: mrg_rxbuf=0,in_order=0,vectorized=1",
		.uplink = EMUNIC,
		.vhost = VHOST,
		.nf = VIRTIO ",mrg_rxbuf=0,in_order=0,vectorized=1",
		.plugin = VHOST_PMD,
		.nics = 1,
	},
	{
		.name = "vhost-packed",
		.what = "net_vhost, packed ring",
		.uplink = EMUNIC,
		.vhost = VHOST,
		.nf = PACKED,
		.plugin = VHOST_PMD,
		.nics = 1,
	},
	{
		.name = "vhost-packed-vector",
		.what = "net_vhost, packed ring, the vector path: mrg_rxbuf=0,in_order=1,vectorized=1",
		.uplink = EMUNIC,
		.vhost = VHOST,
		.nf = PACKED ",mrg_rxbuf=0,in_order=1,vectorized=1",
		.plugin = VHOST_PMD,
		.nics = 1,
	},
	{
		.name = "memif",
		.what = "DPDK's net_memif, the NF's memory shared (zero-copy=yes): the switch copies",
		.uplink = EMUNIC,
		.vhost = "net_memif@J" MEMIF("server"),
		.nf = "net_memif_nf@J" MEMIF("client") ",zero-copy=yes",
		.plugin = MEMIF_PMD,
		.nics = 1,
	},
	{
		.name = "memif-open",
		.what = "net_memif, all memory of the switch shared (zero-copy=yes there): the NF copies",
		.uplink = EMUNIC,
		.vhost = "net_memif@J" MEMIF("client") ",zero-copy=yes",
		.nf = "net_memif_nf@J" MEMIF("server"),
		.plugin = MEMIF_PMD,
		.nics = 1,
		.nf_listens = true,
	},
	{
		.name = "iovtee-rx",
		.what = "zero-copy receive, only the NF's MAC in its queue (trust=0)",
		.uplink = WRAPPED,
		.vhost = IOVTEE ",tx-zero-copy=off",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.nics = 1,
		.first_queue = 1,
		.wrapped = true,
		.queue_each = true,
		.guest = true,
	},
	{
		.name = "iovtee-rx-packed",
		.what = "the same with a packed ring",
		.uplink = WRAPPED,
		.vhost = IOVTEE ",tx-zero-copy=off",
		.nf = PACKED,
		.plugin = PLUGIN,
		.nics = 1,
		.first_queue = 1,
		.wrapped = true,
		.queue_each = true,
	},
	{
		.name = "iovtee",
		.what = "zero-copy both ways: headers copied, payload in place (trust=0)",
		.uplink = WRAPPED,
		.vhost = IOVTEE,
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.nics = 1,
		.first_queue = 1,
		.wrapped = true,
		.queue_each = true,
		.segments = true,
		.guest = true,
	},
	{
		.name = "iovtee-packed",
		.what = "the same with a packed ring",
		.uplink = WRAPPED,
		.vhost = IOVTEE,
		.nf = PACKED,
		.plugin = PLUGIN,
		.nics = 1,
		.first_queue = 1,
		.wrapped = true,
		.queue_each = true,
		.segments = true,
	},
	{
		.name = "iovtee-trust",
		.what = "zero-copy both ways, whole packets in place (trust=1)",
		.uplink = WRAPPED,
		.vhost = IOVTEE ",trust=1,tx-zero-copy=whole",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.nics = 1,
		.wrapped = true,
		.queue_each = true,
		.guest = true,
	},
	{
		.name = "iovtee-trust-packed",
		.what = "the same with a packed ring",
		.uplink = WRAPPED,
		.vhost = IOVTEE ",trust=1,tx-zero-copy=whole",
		.nf = PACKED,
		.plugin = PLUGIN,
		.nics = 1,
		.wrapped = true,
		.queue_each = true,
	},
	{
		.name = "iovtee-copy",
		.what = "the plugin's copy path, no queue mapped",
		.uplink = EMUNIC,
		.vhost = "net_iovtee_vhost@J,iface=@S,mac=@M",
		.nf = VIRTIO,
		.plugin = PLUGIN,
		.nics = 1,
		.guest = true,
	},
	{
		.name = "p2p",
		.what = "no NF: what comes in at a NIC goes out of another one, and the other way round",
		.uplink = EMUNIC,
		.peer = "net_emunic_b@I," NIC_ARGS,
		.peer_kind = PORT_UPLINK,
		.plugin = "librte_net_emunic.so",
		.nics = 2,
	},
	{
		.name = "null",
		.what = "no NF, no NIC: two net_null ports, the loop and its mbufs alone",
		.uplink = "net_null@I",
		.peer = "net_null_b@I",
		.peer_kind = PORT_VHOST,
		.plugin = "librte_net_null.so",
	},
};

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
