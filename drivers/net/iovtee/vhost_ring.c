/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtqueue as librte_vhost and the negotiated features describe it, in the engine's terms. */
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include <rte_vhost.h>

#include "vhost.h"

static bool
translate_rings(const struct guest *g, const struct rte_vhost_vring *v, struct iovt_vring_conf *c)
{
	size_t n = v->size, driver, device;

	if (c->format == IOVT_SPLIT) {
		driver = sizeof(struct vring_avail) + (n + 1) * sizeof(uint16_t);
		device = sizeof(struct vring_used) + n * sizeof(struct vring_used_elem) +
			sizeof(uint16_t);
	} else {
		driver = device = sizeof(struct vring_packed_desc_event);
	}
	c->size = v->size;
	c->desc = guest_translate(g, v->desc, n * sizeof(struct vring_desc));
	c->driver = guest_translate(g, v->avail, driver);
	c->device = guest_translate(g, v->used, device);
	return c->desc != NULL && c->driver != NULL && c->device != NULL;
}

int
vhost_ring_conf(const struct vhost_port *p, uint16_t vring, struct iovt_vring_conf *c)
{
	struct rte_vhost_vring v;

	*c = (struct iovt_vring_conf){
		.mem = guest_mem(p->guest),
		.format = vhost_has(p, VIRTIO_F_RING_PACKED) ? IOVT_PACKED : IOVT_SPLIT,
		.event_idx = vhost_has(p, VIRTIO_RING_F_EVENT_IDX),
	};
	if (rte_vhost_get_vhost_vring(p->vid, vring, &v) < 0 ||
		rte_vhost_get_vring_base(p->vid, vring, &c->last_avail, &c->last_used) < 0)
		return -ENODEV;
	if (v.desc == NULL || v.avail == NULL || v.used == NULL)
		return -EAGAIN;
	return translate_rings(p->guest, &v, c) ? 0 : -EFAULT;
}

uint8_t
vhost_hdr_len(const struct vhost_port *p)
{
	return vhost_has(p, VIRTIO_NET_F_MRG_RXBUF) || vhost_has(p, VIRTIO_F_VERSION_1) ? 12 : 10;
}

static void
mark_dirty(void *ctx, uint64_t gpa, uint64_t len)
{
	const struct vhost_port *p = ctx;

	rte_vhost_log_write(p->vid, gpa, len);
}

struct iovt_dirty_log
vhost_dirty_log(struct vhost_port *p)
{
	return (struct iovt_dirty_log){vhost_has(p, VHOST_F_LOG_ALL) ? mark_dirty : NULL, p};
}
