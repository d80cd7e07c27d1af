/* SPDX-License-Identifier: BSD-3-Clause
 * Control side of the guest: its memory is a part of EAL's, shared as virtio-user does it, but no more than that.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_errno.h>
#include <rte_memory.h>

#include "guest.h"

#define FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF)

/* The back end maps whole pages. */
#define MEMORY_UNIT (2u << 20)

static int
share_memory(struct guest *g)
{
	const struct rte_memseg *ms = rte_mem_virt2memseg(g->memory->addr, NULL);
	struct vhost_user_memory memory = {.address = g->memory->addr, .size = g->memory->len};
	size_t offset;

	memory.fd = ms == NULL ? -1 : rte_memseg_get_fd(ms);
	if (memory.fd < 0 || rte_memseg_get_fd_offset(ms, &offset) < 0)
		return -ENOTSUP;
	memory.offset = offset + ((uint8_t *)memory.address - (uint8_t *)ms->addr);
	return vhost_user_set_memory(&g->link, &memory);
}

static int
start_ring(struct guest *g, uint32_t index, const struct guest_ring *r)
{
	const struct vhost_user_ring ring = {
		.size = VIRTQUEUE_SIZE,
		.desc = r->desc,
		.avail = r->avail,
		.used = r->used,
		.kick = r->kick,
		.call = r->call,
	};

	return vhost_user_start_ring(&g->link, index, &ring);
}

static int
make_eventfds(struct guest_ring *r)
{
	r->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->kick < 0 || r->call < 0 ? -errno : 0;
}

static int
connect_guest(struct guest *g, const char *path)
{
	int ret;

	ret = make_eventfds(&g->rx);
	if (ret == 0)
		ret = make_eventfds(&g->tx);
	if (ret < 0)
		return ret;
	ret = vhost_user_connect(&g->link, path, FEATURES);
	if (ret == 0)
		ret = share_memory(g);
	if (ret == 0)
		ret = start_ring(g, 0, &g->rx);
	return ret < 0 ? ret : start_ring(g, 1, &g->tx);
}

struct guest *
guest_open(const char *path, const char *name)
{
	struct guest *g = calloc(1, sizeof(*g));
	int ret;

	if (g == NULL) {
		rte_errno = ENOMEM;
		return NULL;
	}
	g->link.fd = g->rx.kick = g->rx.call = g->tx.kick = g->tx.call = -1;
	g->memory = rte_memzone_reserve_aligned(name, RTE_ALIGN(guest_memory_size(), MEMORY_UNIT),
		SOCKET_ID_ANY, RTE_MEMZONE_IOVA_CONTIG, MEMORY_UNIT);
	ret = g->memory == NULL ? -rte_errno : 0;
	if (ret == 0) {
		guest_init(g);
		ret = connect_guest(g, path);
	}
	if (ret < 0) {
		guest_close(g);
		rte_errno = -ret;
		return NULL;
	}
	return g;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
guest_close(struct guest *g)
{
	link_close(&g->link);
	close_fd(g->rx.kick);
	close_fd(g->rx.call);
	close_fd(g->tx.kick);
	close_fd(g->tx.call);
	rte_memzone_free(g->memory);
	free(g);
}
