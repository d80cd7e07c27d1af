/* SPDX-License-Identifier: BSD-3-Clause */
/* Setting the device and its virtqueues up, and stopping them. */
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "frontend.h"

#define BIT(n)                    (UINT64_C(1) << (n))
#define VHOST_F_PROTOCOL_FEATURES 30
#define NO_FD                     0x100u /* in the payload of SET_VRING_KICK and _CALL */
#define ADDR_LOG                  1u

struct vring_state {
	uint32_t index;
	uint32_t num;
};

struct vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

void
queues_init(struct frontend *f)
{
	const struct guest_conf *c = &f->conf;
	struct fake_guest_conf conf = {
		.format = c->format,
		.size = c->size,
		.start = c->format->first,
		.hdr_len = c->mergeable || c->version_1 ? 12 : 10,
		.mergeable = c->mergeable,
		.event_idx = c->event_idx,
	};

	for (unsigned int v = 0; v < 2 * c->pairs; v++) {
		struct virtq *r = &f->vring[v];
		struct fake_places p = memory_places(&f->memory, v, c->size, c->format);

		conf.sends = v & 1;
		fake_guest_init_in(&r->g, &conf, &f->memory.mem, &p);
		r->g.any_num_buffers = c->any_num_buffers;
		r->g.headroom = c->headroom;
		r->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		CHECK(r->kick >= 0 && r->call >= 0);
	}
}

void
queues_fini(struct frontend *f)
{
	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++) {
		fake_guest_fini(&f->vring[v].g);
		close(f->vring[v].kick);
		close(f->vring[v].call);
	}
	memset(f->vring, 0, sizeof(f->vring));
}

static uint64_t
wanted_features(const struct guest_conf *c)
{
	uint64_t w = BIT(VHOST_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_ANY_LAYOUT) |
		BIT(VIRTIO_NET_F_MQ);

	w |= c->format == &fake_packed ? BIT(VIRTIO_F_RING_PACKED) : 0;
	w |= c->mergeable ? BIT(VIRTIO_NET_F_MRG_RXBUF) : 0;
	w |= c->indirect ? BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0;
	w |= c->event_idx ? BIT(VIRTIO_RING_F_EVENT_IDX) : 0;
	w |= c->version_1 ? BIT(VIRTIO_F_VERSION_1) : 0;
	w |= c->guest_csum ? BIT(VIRTIO_NET_F_GUEST_CSUM) : 0;
	w |= c->guest_tso ? BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) : 0;
	w |= c->csum ? BIT(VIRTIO_NET_F_CSUM) : 0;
	w |= c->tso ? BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) : 0;
	w |= c->mtu > 0 ? BIT(VIRTIO_NET_F_MTU) : 0;
	return w;
}

/* What was asked for must be there, but for what does not change how the rings are used. */
static uint64_t
needed_features(const struct guest_conf *c)
{
	return wanted_features(c) & ~(BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_F_ANY_LAYOUT));
}

static bool
ask_u64(struct frontend *f, enum request request, uint64_t *value)
{
	struct message m;

	if (!link_ask(&f->link, request, NULL, 0, NULL, 0, &m))
		return false;
	memcpy(value, m.payload, sizeof(*value));
	return true;
}

static bool
negotiate_protocol(struct frontend *f)
{
	const uint64_t want = BIT(PROTOCOL_MQ) | BIT(PROTOCOL_LOG_SHMFD) | BIT(PROTOCOL_REPLY_ACK) |
		BIT(PROTOCOL_NET_MTU);
	uint64_t offered;

	if (!ask_u64(f, GET_PROTOCOL_FEATURES, &offered))
		return false;
	f->protocol = offered & want;
	if (!link_call(&f->link, SET_PROTOCOL_FEATURES, &f->protocol, sizeof(f->protocol), NULL, 0))
		return false;
	f->link.acks = f->protocol & BIT(PROTOCOL_REPLY_ACK);
	return true;
}

bool
set_mtu(struct frontend *f, uint16_t mtu)
{
	uint64_t value = mtu;

	if (!(f->protocol & BIT(PROTOCOL_NET_MTU))) {
		f->link.error = "the back end cannot be told an MTU";
		return false;
	}
	if (mtu > f->conf.mtu)
		f->conf.mtu = mtu; /* longer frames may come before the acknowledgement */
	if (!link_call(&f->link, NET_SET_MTU, &value, sizeof(value), NULL, 0))
		return false;
	f->conf.mtu = mtu;
	return true;
}

bool
negotiate(struct frontend *f, uint64_t extra_features)
{
	uint64_t pairs;

	if (!ask_u64(f, GET_FEATURES, &f->offered))
		return false;
	if (needed_features(&f->conf) & ~f->offered) {
		f->link.error = "the back end does not offer a feature";
		return false;
	}
	f->features = wanted_features(&f->conf) & f->offered;
	if (!negotiate_protocol(f) || !ask_u64(f, GET_QUEUE_NUM, &pairs))
		return false;
	if (pairs < f->conf.pairs) {
		f->link.error = "the back end has not as many queues";
		return false;
	}
	f->features |= extra_features;
	return link_call(&f->link, SET_OWNER, NULL, 0, NULL, 0) &&
		link_call(&f->link, SET_FEATURES, &f->features, sizeof(f->features), NULL, 0) &&
		(f->conf.mtu == 0 || set_mtu(f, f->conf.mtu));
}

/* Where the guest has what the back end sees at p: an address of the front end's. */
static uint64_t
user_address(const struct fake_guest *g, const void *p)
{
	const uint8_t *host = fake_mem_host(&g->mem, g->rings, 1);

	return (uintptr_t)(fake_mem_guest(&g->mem, g->rings, 1) + ((const uint8_t *)p - host));
}

bool
set_addr(struct frontend *f, unsigned int v)
{
	const struct fake_guest *g = &f->vring[v].g;
	struct iovt_vring_conf ring = fake_guest_ring(g, 0, 0);
	struct vring_addr a = {
		.index = v,
		.desc = user_address(g, ring.desc),
		.avail = user_address(g, ring.driver),
		.used = user_address(g, ring.device),
	};

	if (f->features & BIT(VHOST_F_LOG_ALL)) {
		/* What the device writes: the used ring; of a packed one, the descriptors. */
		const void *written = ring.format == IOVT_PACKED ? ring.desc : ring.device;

		a.flags = ADDR_LOG;
		a.log = g->rings + (user_address(g, written) - user_address(g, ring.desc));
	}
	return link_call(&f->link, SET_VRING_ADDR, &a, sizeof(a), NULL, 0);
}

static bool
set_state(struct frontend *f, enum request request, unsigned int v, uint32_t num)
{
	struct vring_state s = {v, num};

	return link_call(&f->link, request, &s, sizeof(s), NULL, 0);
}

static bool
set_fd(struct frontend *f, enum request request, unsigned int v, int fd)
{
	uint64_t index = v | (fd < 0 ? NO_FD : 0);

	return link_call(&f->link, request, &index, sizeof(index), &fd, fd >= 0);
}

bool
enable_vring(struct frontend *f, unsigned int v, bool on)
{
	return set_state(f, SET_VRING_ENABLE, v, on);
}

/*
 * Where a split ring is, the used index says, whoever has gone. Of a packed one a front end knows nothing that its back
 * end has not told: QEMU says again what it said first.
 */
static bool
tell_base(struct frontend *f, unsigned int v)
{
	struct virtq *r = &f->vring[v];

	if (!r->lost || f->conf.format != &fake_packed)
		r->told = r->g.format->next_used(&r->g);
	r->lost = false;
	return set_state(f, SET_VRING_BASE, v, r->told);
}

bool
start_vring(struct frontend *f, unsigned int v, bool resume)
{
	struct virtq *r = &f->vring[v];

	if (resume)
		driver_drain(f, v);
	else
		fake_guest_reset(&r->g, f->conf.format->first);
	r->lost = r->lost && resume;
	driver_start(f, v);
	r->started = true;
	return set_state(f, SET_VRING_NUM, v, f->conf.size) && tell_base(f, v) && set_addr(f, v) &&
		set_fd(f, SET_VRING_CALL, v, r->call) && set_fd(f, SET_VRING_KICK, v, r->kick) &&
		enable_vring(f, v, true);
}

static uint64_t
digest_range(const struct fake_guest *g, uint64_t gpa, uint64_t len)
{
	uint64_t sum = gpa;

	for (; len > 0; len -= FAKE_PAGE, gpa += FAKE_PAGE) {
		const uint64_t *page = (const uint64_t *)fake_mem_guest(&g->mem, gpa, FAKE_PAGE);

		for (unsigned int i = 0; i < FAKE_PAGE / sizeof(*page); i++)
			sum = (sum ^ page[i]) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return sum;
}

static uint64_t
digest_vring(const struct fake_guest *g)
{
	/* Rings and tables are whole pages, one behind the other. */
	uint64_t tables = (fake_tables_bytes(g->size) + FAKE_PAGE - 1) & ~(uint64_t)(FAKE_PAGE - 1);
	uint64_t sum = digest_range(g, g->rings, g->tables + tables - g->rings);

	for (int p = 0; p < FAKE_PLACES; p++)
		sum ^= digest_range(g, g->area[p], (uint64_t)g->size * FAKE_AREA);
	return sum;
}

void
check_frozen(const struct frontend *f, unsigned int v)
{
	CHECK(digest_vring(&f->vring[v].g) == f->vring[v].frozen);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/*
 * The base in the reply says what the back end has taken. All of that must have come back: the next used
 * buffer is looked for where the base is, and what is posted still is behind it. A guest that sleeps, and whose CPU is
 * halted meanwhile, has been notified of it: it may go on with another back end, which knows nothing of that.
 */
bool
stop_vring(struct frontend *f, unsigned int v)
{
	struct vring_state s = {v, 0};
	struct virtq *r = &f->vring[v];
	const bool running = f->running;
	uint64_t notified, began;
	struct message m;
	bool replied, came;

	if (f->conf.sleep) {
		driver_fall_asleep(f, v);
		f->running = false;
	}
	notified = r->notified;
	began = now_ns();
	replied = link_ask(&f->link, GET_VRING_BASE, &s, sizeof(s), NULL, 0, &m);
	f->stats.waited_ns = now_ns() - began;
	f->running = running;
	if (!replied)
		return false;
	memcpy(&s, m.payload, sizeof(s));
	came = driver_drain(f, v);
	driver_count_notifications(f);
	r->started = false;
	r->frozen = digest_vring(&r->g);
	if (f->conf.sleep && came && r->notified == notified) {
		f->link.error = "a guest that sleeps was not notified of what came back";
		return false;
	}
	if (r->g.format->next_used(&r->g) == (uint16_t)s.num)
		return true;
	f->link.error = "the base is not where the used buffers end";
	return false;
}
