/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest: it receives packets, and sends them back. */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_net.h>

#include "frontend.h"

#define BURST     32
#define SLEEP_MS  200
#define REST_US   20
#define MAC_LEN   6
#define FRAME_MIN (2 * MAC_LEN)
#define ETH_LEN   (2 * MAC_LEN + 2)
#define TAG_LEN   4
#define POLL_FDS  (1 + VRINGS_MAX)

static uint32_t
random_below(struct frontend *f, uint32_t n)
{
	f->rng ^= f->rng << 13;
	f->rng ^= f->rng >> 7;
	f->rng ^= f->rng << 17;
	return (f->rng >> 32) % n;
}

void
driver_init(struct frontend *f)
{
	f->rng = UINT64_C(0x123456789abcdef);
}

static enum fake_layout
random_layout(struct frontend *f, const struct fake_guest *g)
{
	enum fake_layout layout;

	do
		layout = random_below(f, FAKE_LAYOUTS);
	while (!(f->conf.layouts & 1u << layout));
	return layout == FAKE_REGION_CROSS && g->crossing ? FAKE_PAGE_CROSS : layout;
}

static enum fake_place
random_place(struct frontend *f)
{
	return random_below(f, FAKE_PLACES);
}

static void
post_all(struct frontend *f, struct virtq *r)
{
	const struct guest_conf *c = &f->conf;
	uint32_t len;

	do
		len = c->len_min + random_below(f, c->len_max - c->len_min + 1);
	while (fake_guest_post(&r->g, random_layout(f, &r->g), len, random_place(f)) >= 0);
}

static void
kick(struct frontend *f, struct virtq *r)
{
	const uint64_t one = 1;

	if (!r->g.format->must_kick(&r->g))
		return;
	f->stats.kicks++;
	CHECK(write(r->kick, &one, sizeof(one)) == sizeof(one));
}

static void
shuffle(struct frontend *f, uint16_t *list, uint16_t n)
{
	for (uint16_t i = n; i > 1; i--) {
		uint16_t k = random_below(f, i), last = list[i - 1];

		list[i - 1] = list[k];
		list[k] = last;
	}
}

void
driver_start(struct frontend *f, unsigned int v)
{
	struct virtq *r = &f->vring[v];

	r->g.on_used = log_check;
	for (int p = 0; p < FAKE_PLACES; p++)
		shuffle(f, r->g.free_area[p], r->g.nr_free_area[p]);
	r->g.format->notify_after(&r->g, 0);
	if (!(v & 1) && f->posting)
		post_all(f, r);
}

static bool
reap(struct virtq *r)
{
	bool any = false;

	while (fake_guest_reap(&r->g) >= 0)
		any = true;
	return any;
}

/* What goes back: the header asks for nothing. */
static void
append(struct frontend *f, struct backlog *b, const struct fake_packet *p, uint8_t hdr_len)
{
	uint8_t *to = backlog_append(b, hdr_len + p->len)->data + hdr_len;

	memcpy(to, p->data, p->len);
	if (f->conf.swap) {
		memcpy(to, p->data + MAC_LEN, MAC_LEN);
		memcpy(to + MAC_LEN, p->data, MAC_LEN);
	}
}

/* Virtio 1.2, 5.1.4.1: longer ones may come only if the guest can cut them. */
static bool
within_mtu(const struct guest_conf *c, const struct fake_packet *p)
{
	bool tagged = p->data[2 * MAC_LEN] == 0x81 && p->data[2 * MAC_LEN + 1] == 0;

	if (c->mtu == 0 || p->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return true;
	return p->len <= c->mtu + ETH_LEN + (tagged ? TAG_LEN : 0u);
}

static bool
receive(struct frontend *f, struct virtq *r, struct backlog *b)
{
	struct fake_packet *p = &f->packet;

	if (!fake_guest_receive(&r->g, p))
		return false;
	if (p->flushed) {
		f->stats.flushed++;
		return true;
	}
	f->stats.received++;
	CHECK(p->len >= FRAME_MIN && within_mtu(&f->conf, p));
	f->stats.large += p->hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE;
	f->stats.merged += p->nr > 1;
	if (p->len + r->g.hdr_len > FAKE_LEN_MAX)
		f->stats.too_long++;
	else
		append(f, b, p, r->g.hdr_len);
	return true;
}

static bool
send_back(struct frontend *f, struct virtq *r, struct backlog *b)
{
	if (b->nr == 0 ||
		fake_guest_send_bytes(&r->g, random_layout(f, &r->g), random_place(f),
			b->first->data, b->first->len) < 0)
		return false;
	backlog_pop(b);
	f->stats.sent++;
	return true;
}

static bool
echo(struct frontend *f, unsigned int pair)
{
	struct virtq *rx = &f->vring[VRING_RX(pair)], *tx = &f->vring[VRING_TX(pair)];
	struct backlog *b = &f->backlog[pair];
	/* Packets that were sent are news to those who wait for room, and asked to be told. */
	bool busy = tx->started && reap(tx) && b->nr > 0;

	for (unsigned int n = 0; n < BURST && rx->started && b->nr < BACKLOG_MAX; n++) {
		if (!receive(f, rx, b))
			break;
		busy = true;
	}
	for (unsigned int n = 0; n < BURST && tx->started && send_back(f, tx, b); n++)
		busy = true;
	if (rx->started && f->posting)
		post_all(f, rx);
	if (rx->started)
		kick(f, rx);
	if (tx->started)
		kick(f, tx);
	return busy;
}

static void
ask_for_silence(struct frontend *f)
{
	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++)
		if (f->vring[v].started)
			f->vring[v].g.format->notify_after(&f->vring[v].g, 0);
}

/* With an event index "never" is a place in the ring, which comes round: it is moved on. */
bool
driver_step(struct frontend *f)
{
	bool busy = false;

	if (!f->running)
		return false;
	if (!f->conf.sleep)
		ask_for_silence(f);
	for (unsigned int pair = 0; pair < f->conf.pairs; pair++)
		busy |= echo(f, pair);
	return busy;
}

bool
driver_drain(struct frontend *f, unsigned int v)
{
	struct virtq *r = &f->vring[v];
	bool any = false;

	if (v & 1)
		return reap(r);
	while (receive(f, r, &f->backlog[v / 2]))
		any = true;
	return any;
}

void
driver_fall_asleep(struct frontend *f, unsigned int v)
{
	do {
		f->vring[v].g.format->notify_after(&f->vring[v].g, 1);
		/* Before the last look: what comes after that is told of once more. */
		driver_count_notifications(f);
	} while (driver_drain(f, v));
}

void
driver_count_notifications(struct frontend *f)
{
	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++) {
		uint64_t n;

		if (read(f->vring[v].call, &n, sizeof(n)) != sizeof(n))
			continue;
		f->vring[v].notified += n;
		f->stats.notified += n;
	}
}

/* Ask to be told of received packets, and of sent ones where room is waited for. */
static void
ask_for_notification(struct frontend *f)
{
	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++)
		if (f->vring[v].started && (!(v & 1) || f->backlog[v / 2].nr > 0))
			f->vring[v].g.format->notify_after(&f->vring[v].g, 1);
}

static bool
was_notified(struct frontend *f)
{
	uint64_t before = f->stats.notified;

	driver_count_notifications(f);
	return f->stats.notified != before;
}

static void
sleep_until_notified(struct frontend *f, int fd)
{
	struct pollfd p[POLL_FDS] = {{.fd = fd, .events = POLLIN}};
	unsigned int n = 1;

	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++)
		p[n++] = (struct pollfd){.fd = f->vring[v].call, .events = POLLIN};
	f->stats.sleeps++;
	if (poll(p, n, SLEEP_MS) == 0 && driver_step(f) && !was_notified(f)) {
		usleep(1000); /* the notification may have been on its way */
		f->stats.lost_wakeups += !was_notified(f);
	}
	driver_count_notifications(f);
}

void
driver_rest(struct frontend *f, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (!f->running || !f->set_up) {
		poll(&p, 1, -1);
		return;
	}
	if (!f->conf.sleep) {
		usleep(REST_US);
		return;
	}
	ask_for_notification(f);
	if (!driver_step(f)) /* something may have come in between */
		sleep_until_notified(f, fd);
	ask_for_silence(f);
}
