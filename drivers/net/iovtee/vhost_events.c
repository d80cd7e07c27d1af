/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * librte_vhost's callbacks, and the port's socket.
 *
 * All callbacks but those of vhost_unlisten come on librte_vhost's one event thread, some of them while it
 * holds the access locks of all rings (SET_* messages): nothing here waits for a thread that may be
 * inside a blocking librte_vhost call, and the data path makes only non-blocking ones.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_vhost.h>

#include "control.h"
#include "log.h"
#include "ports.h"
#include "vhost.h"
#include "vhost_message.h"

/*
 * What the engine does not do is not offered: completion in order. UFO means fragments of UDP, which DPDK's flags do
 * not tell from datagrams of a common length.
 */
#define FEATURES_OFF                                                                               \
	(UINT64_C(1) << VIRTIO_F_IN_ORDER | UINT64_C(1) << VIRTIO_NET_F_HOST_UFO |                 \
		UINT64_C(1) << VIRTIO_NET_F_GUEST_UFO)

#define FEATURES_TSO                                                                               \
	(UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4 | UINT64_C(1) << VIRTIO_NET_F_HOST_TSO6 |           \
		UINT64_C(1) << VIRTIO_NET_F_HOST_ECN)
#define FEATURES_CSUM (UINT64_C(1) << VIRTIO_NET_F_CSUM)

static struct vhost_port *
port_by_path(const char *path)
{
	struct vhost_port *found = NULL;

	control_lock();
	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS && found == NULL; id++) {
		struct rte_eth_dev *dev = ports_find(id, &vhost_ops);

		if (dev != NULL && strcmp(vhost_of(dev)->conf.iface, path) == 0)
			found = vhost_of(dev);
	}
	control_unlock();
	return found;
}

/* A port whose guest has something to say is not closed before that is done with (vhost_unlisten). */
static struct vhost_port *
port_by_vid(int vid)
{
	char path[PATH_MAX];

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) < 0)
		return NULL;
	return port_by_path(path);
}

static void
set_link(struct vhost_port *p, bool up)
{
	struct rte_eth_dev *dev = &rte_eth_devices[p->data->port_id];

	p->data->dev_link.link_status = up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
	rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_LSC, NULL);
}

/* ---- messages ---- */

/* Rings that the message changes: bit v for vring v. */
static uint32_t
rings_changed(const struct message *m)
{
	switch (m->request) {
	case SET_FEATURES:
	case SET_OWNER:
	case RESET_OWNER:
	case SET_MEM_TABLE:
	case SET_LOG_BASE:
		return VHOST_ALL_VRINGS;
	case SET_VRING_NUM:
	case SET_VRING_ADDR:
	case SET_VRING_BASE:
		if (m->size < sizeof(m->vring))
			return VHOST_ALL_VRINGS;
		return m->vring.index < 2 * VHOST_QUEUES_MAX ? UINT32_C(1) << m->vring.index : 0;
	default:
		return 0;
	}
}

static bool
replaces_fd(uint32_t request)
{
	return request == SET_VRING_KICK || request == SET_VRING_CALL || request == SET_VRING_ERR;
}

/*
 * librte_vhost acknowledges this message before it calls vring_state_changed(), and the acknowledgement says
 * that the ring has stopped.
 */
static bool
disables_ring(const struct message *m)
{
	return m->request == SET_VRING_ENABLE && m->size == sizeof(m->vring) && m->vring.num == 0 &&
		m->vring.index < 2 * VHOST_QUEUES_MAX;
}

/*
 * A message that librte_vhost refuses ends the connection, or, if the front end wants an acknowledgement, gets that, and
 * no handler is told. What was stopped for it would stay so: then the connection shall end, too.
 */
static void
hold_acknowledgement(struct vhost_port *p, struct message *m)
{
	bool stops = p->paused != 0 || p->masking || disables_ring(m);

	p->acknowledge = stops && (m->flags & MESSAGE_NEED_REPLY);
	if (p->acknowledge)
		m->flags &= ~MESSAGE_NEED_REPLY;
}

static void
release_acknowledgement(struct vhost_port *p, struct message *m)
{
	if (p->acknowledge && !(m->flags & MESSAGE_REPLY))
		m->flags |= MESSAGE_NEED_REPLY;
	p->acknowledge = false;
}

/* Before anything has changed: the guest goes on as before, if the front end stays. */
static enum rte_vhost_msg_result
refuse(struct vhost_port *p, struct message *m)
{
	p->refused_messages++;
	message_close_fds(m);
	return RTE_VHOST_MSG_RESULT_ERR;
}

static void
prepare(struct vhost_port *p, struct message *m)
{
	uint32_t request = m->request;

	if (request == GET_VRING_BASE)
		reply_time_begin(&p->reply_time);
	p->paused = rings_changed(m);
	p->masking = replaces_fd(request);
	hold_acknowledgement(p, m);
	if (disables_ring(m))
		p->enabled[m->vring.index] = false;
	if (request == SET_MEM_TABLE)
		p->has_memory = false; /* until it succeeds */
	if (p->masking)
		vhost_hide_callfds(p);
	else
		vhost_sync(p);
	if (request == SET_MEM_TABLE)
		vhost_drop_guest(p);
}

static enum rte_vhost_msg_result
before_message(int vid, void *msg)
{
	enum rte_vhost_msg_result result = RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	struct vhost_port *p = port_by_vid(vid);
	struct message *m = msg;

	if (p == NULL || p->vid != vid)
		return result;
	control_lock();
	if (message_check(m, p->data->name))
		prepare(p, m);
	else
		result = refuse(p, m);
	control_unlock();
	return result;
}

/* The MTU is the front end's to say. */
static void
take_mtu(struct vhost_port *p)
{
	if (rte_vhost_get_mtu(p->vid, &p->mtu) < 0)
		p->mtu = 0;
	if (p->mtu > 0)
		p->data->mtu = p->mtu;
}

static void
change_mtu(struct vhost_port *p)
{
	take_mtu(p);
	vhost_close_gates(p);
	for (uint16_t i = 0; i < p->conf.queues; i++)
		if (p->txq[i].rxq != NULL)
			vhost_limit_frames(&p->txq[i], p->txq[i].send_fitting);
	vhost_open_gates(p);
}

static enum rte_vhost_msg_result
after_message(int vid, void *msg)
{
	struct vhost_port *p = port_by_vid(vid);
	struct message *m = msg;

	if (p == NULL || p->vid != vid)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	control_lock();
	if (m->request == GET_VRING_BASE)
		reply_time_end(&p->reply_time);
	else if (m->request == SEND_RARP && m->size == sizeof(m->u64))
		vhost_announce(p, m->u64);
	else if (m->request == SET_MEM_TABLE)
		p->has_memory = true;
	else if (m->request == NET_SET_MTU && p->running)
		change_mtu(p);
	p->paused = 0;
	release_acknowledgement(p, m);
	if (p->running)
		rte_vhost_get_negotiated_features(vid, &p->features);
	vhost_sync(p);
	control_unlock();
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static struct rte_vhost_user_extern_ops extern_ops = {
	.pre_msg_handle = before_message,
	.post_msg_handle = after_message,
};

/* ---- connection and device ---- */

static int
new_connection(int vid)
{
	struct vhost_port *p = port_by_vid(vid);
	int ret = 0;

	if (p == NULL)
		return -1;
	control_lock();
	if (p->vid >= 0) {
		IOVTEE_LOG(WARNING, "%s: %s: a second guest is refused while one is connected",
			p->data->name, p->conf.iface);
		ret = -1;
	} else if (rte_vhost_extern_callback_register(vid, &extern_ops, NULL) < 0) {
		ret = -1;
	} else {
		p->vid = vid;
		p->running = p->has_memory = p->masking = p->acknowledge = false;
		p->paused = 0;
		memset(p->enabled, 0, sizeof(p->enabled));
	}
	control_unlock();
	return ret;
}

static void
destroy_connection(int vid)
{
	struct vhost_port *p = port_by_vid(vid);

	if (p == NULL || p->vid != vid)
		return;
	control_lock();
	p->running = false;
	vhost_sync(p);
	vhost_drop_guest(p);
	p->vid = -1;
	control_unlock();
}

static int
new_device(int vid)
{
	struct vhost_port *p = port_by_vid(vid);

	if (p == NULL || p->vid != vid)
		return -1;
	control_lock();
	rte_vhost_get_negotiated_features(vid, &p->features);
	take_mtu(p);
	p->running = true;
	vhost_sync(p);
	control_unlock();
	set_link(p, true);
	return 0;
}

static void
destroy_device(int vid)
{
	struct vhost_port *p = port_by_vid(vid);

	if (p == NULL || p->vid != vid)
		return;
	control_lock();
	p->running = false;
	vhost_sync(p);
	control_unlock();
	set_link(p, false);
}

/*
 * QEMU masks and unmasks interrupts with SET_VRING_CALL, which makes a ring go down and up again within
 * one message: the NIC is not flushed for that.
 */
static int
vring_state_changed(int vid, uint16_t vring, int enable)
{
	struct vhost_port *p = port_by_vid(vid);

	if (p == NULL || p->vid != vid || vring >= 2 * VHOST_QUEUES_MAX)
		return 0;
	control_lock();
	if (enable || !p->masking) {
		p->enabled[vring] = enable;
		vhost_sync(p);
	}
	control_unlock();
	return 0;
}

static const struct rte_vhost_device_ops device_ops = {
	.new_connection = new_connection,
	.destroy_connection = destroy_connection,
	.new_device = new_device,
	.destroy_device = destroy_device,
	.vring_state_changed = vring_state_changed,
};

/* ---- socket ---- */

/* A socket file that nobody serves is left over from a crash; one that is served is not ours to take. */
static int
clear_stale_socket(const struct vhost_port *p)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, ret;

	if (lstat(p->conf.iface, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		IOVTEE_LOG(ERR, "%s: iface=%s exists and is not a socket; choose another path",
			p->data->name, p->conf.iface);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	strcpy(addr.sun_path, p->conf.iface);
	ret = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	if (ret == 0) {
		IOVTEE_LOG(ERR, "%s: iface=%s is in use by another process; choose another path",
			p->data->name, p->conf.iface);
		return -EADDRINUSE;
	}
	IOVTEE_LOG(INFO, "%s: removing stale socket %s", p->data->name, p->conf.iface);
	return unlink(p->conf.iface) < 0 ? -errno : 0;
}

/* Not what the application takes decides: that may change, and what a guest has been offered may not. */
static uint64_t
features_off(const struct vhost_port *p)
{
	switch (p->conf.offers) {
	case VHOST_OFFERS_TSO:
		return FEATURES_OFF;
	case VHOST_OFFERS_CSUM:
		return FEATURES_OFF | FEATURES_TSO;
	default:
		return FEATURES_OFF | FEATURES_TSO | FEATURES_CSUM;
	}
}

int
vhost_listen(struct vhost_port *p)
{
	const char *path = p->conf.iface;
	uint64_t flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;
	int ret = p->conf.client ? 0 : clear_stale_socket(p);

	if (ret < 0)
		return ret;
	if (p->conf.client)
		flags |= RTE_VHOST_USER_CLIENT;
	if (rte_vhost_driver_register(path, flags) < 0) {
		IOVTEE_LOG(ERR, "%s: iface=%s cannot be registered; is another port using it?",
			p->data->name, path);
		return -EEXIST;
	}
	p->registered = true;
	if (rte_vhost_driver_disable_features(path, features_off(p)) < 0 ||
		rte_vhost_driver_callback_register(path, &device_ops) < 0 ||
		rte_vhost_driver_start(path) < 0) {
		IOVTEE_LOG(ERR, "%s: iface=%s cannot be opened: is its folder there and writable?",
			p->data->name, path);
		vhost_unlisten(p);
		return -EACCES;
	}
	return 0;
}

void
vhost_unlisten(struct vhost_port *p)
{
	if (p->registered)
		rte_vhost_driver_unregister(p->conf.iface);
	p->registered = false;
}
