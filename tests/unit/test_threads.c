/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everybody at once: a guest, a NIC that harvests and fills, a switch that completes and copies, an
 * lcore that frees, and a control thread that closes and reopens. To be run under a thread checker too,
 * so guest and engine share one mapping here.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "bed.h"

#define SECONDS 2
#define RING    64
#define BACKLOG 256

struct item {
	struct iovt_rxq *q;
	struct iovt_buf buf;
	uint32_t len;
};

/* Lent buffers on their way from one thread to the next. */
struct channel {
	pthread_mutex_t lock;
	unsigned int n;
	struct item item[BACKLOG];
};

struct world {
	struct bed *b;
	pthread_rwlock_t current; /* of b->q: which queue is the open one */
	pthread_mutex_t guest;
	struct channel to_switch, to_free;
	unsigned int stage; /* sources stop at 1, then those who empty the channels, in turn */
	uint64_t received, flushed, copied, late;
	unsigned int reopened;
};

static bool
stopped(const struct world *w, unsigned int stage)
{
	return __atomic_load_n(&w->stage, __ATOMIC_ACQUIRE) >= stage;
}

static void
push(struct channel *c, const struct item *item)
{
	pthread_mutex_lock(&c->lock);
	CHECK(c->n < BACKLOG);
	c->item[c->n++] = *item;
	pthread_mutex_unlock(&c->lock);
}

static bool
pop(struct channel *c, struct item *item)
{
	bool some;

	pthread_mutex_lock(&c->lock);
	some = c->n > 0;
	if (some)
		*item = c->item[--c->n];
	pthread_mutex_unlock(&c->lock);
	return some;
}

static unsigned int
length(struct channel *c)
{
	unsigned int n;

	pthread_mutex_lock(&c->lock);
	n = c->n;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* A frame's contents follow from its length, so that the guest can check every one. */
static void *
guest_main(void *arg)
{
	static struct fake_packet packet;
	struct world *w = arg;
	struct fake_guest *g = &w->b->guest;
	unsigned int k = 0;

	while (!stopped(w, 1)) {
		pthread_mutex_lock(&w->guest);
		while (fake_guest_receive(g, &packet)) {
			if (packet.flushed) {
				w->flushed++;
				continue;
			}
			fake_packet_check(g, &packet, packet.len, packet.len);
			w->received++;
		}
		for (int i = 0; i < 16; i++, k++)
			fake_guest_post(g, k % 16 == 0 ? FAKE_CHAIN : k % 2, 2048, k % FAKE_PLACES);
		pthread_mutex_unlock(&w->guest);
		sched_yield();
	}
	return NULL;
}

static void *
nic_main(void *arg)
{
	struct world *w = arg;
	struct iovt_buf bufs[8];
	uint32_t len = 0;

	while (!stopped(w, 1)) {
		unsigned int n = 0;

		pthread_rwlock_rdlock(&w->current);
		if (length(&w->to_switch) + length(&w->to_free) < BACKLOG / 2)
			n = fake_nic_harvest(w->b->q, bufs, 8, 1);
		for (unsigned int i = 0; i < n; i++) {
			struct item item = {w->b->q, bufs[i], 1 + len++ % NIC_MAX};

			bed_nic_fill(w->b, &bufs[i], item.len, item.len);
			push(&w->to_switch, &item);
		}
		pthread_rwlock_unlock(&w->current);
		sched_yield();
	}
	return NULL;
}

/* Deliver what the NIC filled; every fourth buffer is dropped instead. */
static void
deliver(struct world *w, unsigned int k)
{
	struct iovt_vnet_hdr hdr;
	struct item item;

	if (!pop(&w->to_switch, &item))
		return;
	if (k % 4 == 0 || !iovt_rx_begin(item.q)) {
		push(&w->to_free, &item);
		return;
	}
	hdr = fake_frame_hdr(item.len);
	CHECK(iovt_rx_complete(item.q, item.q->vr.format, item.buf.id, item.buf.va + 12, item.len,
		&hdr));
	iovt_rx_end(item.q, item.q->vr.format);
}

static void *
switch_main(void *arg)
{
	struct world *w = arg;

	for (unsigned int k = 0; !stopped(w, 2) || length(&w->to_switch) > 0; k++) {
		deliver(w, k);
		if (k % 3 != 0)
			continue;
		pthread_rwlock_rdlock(&w->current);
		if (iovt_rx_begin(w->b->q)) {
			uint32_t len = 1 + k % 3000;

			w->copied += bed_copy(w->b, len, len) == 0;
			iovt_rx_end(w->b->q, w->b->q->vr.format);
		}
		pthread_rwlock_unlock(&w->current);
		sched_yield();
	}
	return NULL;
}

static void *
free_main(void *arg)
{
	struct world *w = arg;

	while (!stopped(w, 3) || length(&w->to_free) > 0) {
		struct item item;

		if (pop(&w->to_free, &item))
			iovt_rxq_reclaim(item.q, &item.buf.id, 1);
		else
			sched_yield();
	}
	return NULL;
}

/* Returns with the new queue open, if one is wanted. */
static void
revoke(struct world *w, bool reopen)
{
	struct iovt_rxq *q = w->b->q;
	struct iovt_vring_end end;
	unsigned int late;

	iovt_rxq_close(q);
	pthread_rwlock_wrlock(&w->current); /* the NIC is not filling any more */
	late = iovt_rxq_give_back(q, &end);
	iovt_rxq_put(q);
	w->late += late;
	w->b->q = NULL;
	if (reopen)
		bed_open(w->b, end.last_avail, end.last_used);
	w->reopened += reopen;
	pthread_rwlock_unlock(&w->current);
}

static void
sleep_us(long us)
{
	const struct timespec t = {0, us * 1000};

	nanosleep(&t, NULL);
}

static void
init_world(struct world *w, const struct bed_conf *conf)
{
	pthread_rwlockattr_t attr;
	struct bed_conf c = *conf;

	c.size = RING;
	c.lend_max = RING * 3 / 4;
	c.one_view = true;
	c.mergeable = true;
	*w = (struct world){.b = bed_new(&c)};
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&w->current, &attr);
	pthread_mutex_init(&w->guest, NULL);
	pthread_mutex_init(&w->to_switch.lock, NULL);
	pthread_mutex_init(&w->to_free.lock, NULL);
}

static void
everybody(const struct bed_conf *conf)
{
	void *(*const mains[])(void *) = {guest_main, nic_main, switch_main, free_main};
	static struct world w;
	time_t end = time(NULL) + SECONDS;
	pthread_t threads[4];

	fake_fail_hook = NULL; /* a failure in another thread cannot return to this one */
	init_world(&w, conf);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, mains[i], &w) == 0);
	for (unsigned int k = 0; time(NULL) < end; k++) {
		sleep_us(200 + k * 37 % 3000);
		revoke(&w, true);
	}
	for (int i = 0; i < 4; i++) {
		__atomic_store_n(&w.stage, i == 0 ? 1 : i, __ATOMIC_RELEASE);
		pthread_join(threads[i], NULL);
	}
	revoke(&w, false);
	print_message("%llu received, %llu of them copied, %llu flushed, %llu late, %u reopened\n",
		(unsigned long long)w.received, (unsigned long long)w.copied,
		(unsigned long long)w.flushed, (unsigned long long)w.late, w.reopened);
	CHECK(w.received > w.copied && w.copied > 0 && w.reopened > 10);
	bed_free(w.b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"guest, NIC, switch, free and control at once", everybody},
	};

	return unit_run("threads", cases, sizeof(cases) / sizeof(cases[0]));
}
