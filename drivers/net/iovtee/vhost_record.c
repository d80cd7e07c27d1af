/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of the guest's virtqueues, for the next process if this one ends before the guest. */
#include "fnv.h"
#include "inflight_file.h"
#include "log.h"
#include "vhost.h"

/* The same ring of the same guest, and no other: where its three areas are. */
static uint64_t
ring_owner(const struct vhost_port *p, uint16_t vring, const struct iovt_vring_conf *ring)
{
	uint64_t hash = fnv_add(FNV_BEGIN, vring);

	hash = fnv_add(hash, guest_place(p->guest, ring->desc));
	hash = fnv_add(hash, guest_place(p->guest, ring->driver));
	return fnv_add(hash, guest_place(p->guest, ring->device));
}

static void
report(struct vhost_port *p, int ret)
{
	if (p->record_error_logged)
		return;
	p->record_error_logged = true;
	IOVTEE_LOG(WARNING,
		"%s: no record of the guest's buffers can be kept in state=%s: %s; if this process is "
		"killed, the guest has to restart its queues",
		p->data->name, p->conf.state, strerror(-ret));
}

struct inflight_file *
vhost_open_record(struct vhost_port *p, uint16_t vring, const struct iovt_vring_conf *ring,
	size_t bytes, struct iovt_inflight_conf *c)
{
	struct inflight_file *file;
	int ret;

	if (strcmp(p->conf.state, VHOST_STATE_OFF) == 0)
		return NULL;
	ret = inflight_file_open(p->conf.state, p->conf.iface, vring, bytes, &file);
	if (ret < 0) {
		report(p, ret);
		return NULL;
	}
	c->record = inflight_file_record(file);
	c->owner = ring_owner(p, vring, ring);
	return file;
}

void
vhost_drop_record(struct inflight_file **file)
{
	if (*file != NULL)
		inflight_file_close(*file);
	*file = NULL;
}

void
vhost_end_record(const struct vhost_port *p, struct inflight_file **file, unsigned int out)
{
	bool front_end_waits = p->running && !p->started;

	if (*file != NULL && front_end_waits && out == 0)
		inflight_file_leave(*file);
	else if (*file != NULL)
		inflight_file_remove(*file);
	*file = NULL;
}

void
vhost_report_resumed(const struct vhost_port *p, uint16_t queue, const char *direction,
	uint64_t buffers)
{
	IOVTEE_LOG(INFO,
		"%s q%u: the guest's %s ring goes on where it was left; %" PRIu64
		" buffers that were in hand were given back",
		p->data->name, queue, direction, buffers);
}
