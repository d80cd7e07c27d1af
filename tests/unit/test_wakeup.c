/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest that asks for a notification, looks once more and then sleeps, is woken (2.7.10). */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "bed.h"

#define SECONDS 1.0

struct pair {
	struct bed *b;
	sem_t interrupt;
	bool stop;
	unsigned int received;
};

/*
 * One packet at a time, since the next one's notification would hide that one was lost.
 */
static void *
switch_main(void *arg)
{
	struct pair *p = arg;

	for (unsigned int sent = 0; !__atomic_load_n(&p->stop, __ATOMIC_RELAXED);) {
		if (__atomic_load_n(&p->received, __ATOMIC_ACQUIRE) != sent) {
			iovt_pause();
			continue;
		}
		CHECK(iovt_rx_begin(p->b->q));
		CHECK(bed_copy(p->b, 1, 16) == 0);
		if (iovt_rx_end(p->b->q, p->b->q->vr.format))
			sem_post(&p->interrupt);
		sent++;
	}
	return NULL;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Sleep until interrupted, for a second at most; a packet that is there then was not told of. */
static void
guest_sleep(struct pair *p)
{
	double until = now() + 1;
	struct timespec t = {(time_t)until, (long)((until - (time_t)until) * 1e9)};
	uint16_t id;
	uint32_t len;

	if (sem_timedwait(&p->interrupt, &t) == 0)
		return;
	CHECK(errno == ETIMEDOUT || errno == EINTR);
	CHECK(!p->b->guest.format->used(&p->b->guest, &id, &len)); /* else: lost wake-up */
}

static void
wakeup(const struct bed_conf *conf, bool event_idx)
{
	struct bed_conf c = *conf;
	struct pair p = {0};
	unsigned int sleeps = 0;
	double end = now() + SECONDS;
	pthread_t thread;

	fake_fail_hook = NULL;
	c.event_idx = event_idx;
	c.size = 8;
	p.b = bed_new(&c);
	sem_init(&p.interrupt, 0, 0);
	fake_guest_fill(&p.b->guest, FAKE_ONE, 100, FAKE_LINEAR);
	CHECK(pthread_create(&thread, NULL, switch_main, &p) == 0);
	while (now() < end) {
		p.b->guest.format->notify_after(&p.b->guest, 1);
		if (!fake_guest_receive(&p.b->guest, &p.b->packet)) {
			guest_sleep(&p);
			sleeps++;
			continue;
		}
		p.b->guest.format->notify_after(&p.b->guest, 0);
		fake_guest_fill(&p.b->guest, FAKE_ONE, 100, FAKE_LINEAR);
		__atomic_add_fetch(&p.received, 1, __ATOMIC_RELEASE);
		/* Go to sleep just when the next packet is shown, now sooner, now later. */
		for (unsigned int i = p.received * 13 % 97; i > 0; i--)
			iovt_pause();
	}
	__atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	print_message("%u packets, %u sleeps\n", p.received, sleeps);
	CHECK(sleeps > 0);
	sem_destroy(&p.interrupt);
	bed_free(p.b);
}

static void
by_flag(const struct bed_conf *conf)
{
	wakeup(conf, false);
}

static void
by_event(const struct bed_conf *conf)
{
	wakeup(conf, true);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"a guest that slept by flag is woken", by_flag},
		{"a guest that slept by event index is woken", by_event},
	};

	return unit_run("wake-up", cases, sizeof(cases) / sizeof(cases[0]));
}
