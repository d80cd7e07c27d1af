/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log of dirty pages (vhost-user specification, "Migration"): whatever the back end has written is marked
 * when the guest can see it. Data pages are unmarked again, so that each write has to mark anew; pages of
 * rings are not, since the next write may be under way.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vhost_types.h>

#include "frontend.h"

#define LOG_PAGE 4096u
/* A page that is marked within this time was marked too late, but in the end it was. */
#define LATE_US 1000

static struct log *the_log;

struct log_payload {
	uint64_t size;
	uint64_t offset;
};

/* Send features, and with them the rings' places, as QEMU does when a migration begins or fails. */
static bool
switch_log(struct frontend *f, bool on)
{
	const uint64_t bit = UINT64_C(1) << VHOST_F_LOG_ALL;

	f->features = on ? f->features | bit : f->features & ~bit;
	if (!link_call(&f->link, SET_FEATURES, &f->features, sizeof(f->features), NULL, 0))
		return false;
	for (unsigned int v = 0; v < 2 * f->conf.pairs; v++)
		if (f->vring[v].started && !set_addr(f, v))
			return false;
	return true;
}

static bool
send_log(struct frontend *f, int fd)
{
	struct log_payload p = {f->log.size, 0};
	struct message m;

	return link_ask(&f->link, SET_LOG_BASE, &p, sizeof(p), &fd, 1, &m);
}

bool
log_start(struct frontend *f)
{
	size_t bytes = memory_end(&f->memory) / LOG_PAGE / 8 + 1;
	int fd = memfd_create("log", MFD_CLOEXEC);
	bool ok;

	CHECK(f->log.map == NULL && fd >= 0);
	bytes = (bytes + LOG_PAGE - 1) & ~(size_t)(LOG_PAGE - 1);
	CHECK(ftruncate(fd, bytes) == 0);
	f->log = (struct log){.size = bytes};
	f->log.map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(f->log.map != MAP_FAILED);
	the_log = &f->log;
	ok = send_log(f, fd) && switch_log(f, true);
	close(fd);
	/* What was used before the log was on is not looked at. */
	for (unsigned int i = 0; ok && i <= f->conf.size; i++)
		driver_step(f);
	f->log.checking = ok;
	return ok;
}

bool
log_stop(struct frontend *f)
{
	bool ok;

	f->log.checking = false;
	ok = switch_log(f, false);
	if (f->log.map != NULL)
		munmap(f->log.map, f->log.size);
	f->log.map = NULL;
	return ok;
}

static void
check_range(struct log *l, uint64_t gpa, uint64_t len, bool unmark)
{
	for (uint64_t page = gpa / LOG_PAGE; len > 0 && page <= (gpa + len - 1) / LOG_PAGE;
		page++) {
		uint8_t bit = 1u << page % 8, *byte = &l->map[page / 8];
		uint8_t was = unmark ? __atomic_fetch_and(byte, (uint8_t)~bit, __ATOMIC_ACQ_REL)
				     : __atomic_load_n(byte, __ATOMIC_ACQUIRE);

		l->checked++;
		if (was & bit)
			continue;
		usleep(LATE_US);
		if (__atomic_load_n(byte, __ATOMIC_ACQUIRE) & bit) {
			l->late++;
			continue;
		}
		if (l->missing++ == 0)
			l->first_missing = page * LOG_PAGE;
	}
}

/* Two segments may share a page, which must be looked at once. */
static void
check_data(struct log *l, const struct fake_chain *c, uint32_t len)
{
	uint64_t pages = 0; /* of the buffer's area, as a set */

	for (uint8_t i = 0; i < c->nr_seg && len > 0; i++) {
		uint32_t n = c->seg[i].len < len ? c->seg[i].len : len;
		uint64_t first = (c->seg[i].gpa - c->area) / LOG_PAGE;
		uint64_t last = (c->seg[i].gpa + n - 1 - c->area) / LOG_PAGE;

		for (uint64_t p = first; p <= last; p++)
			pages |= UINT64_C(1) << p;
		len -= n;
	}
	for (unsigned int p = 0; pages >> p != 0; p++)
		if (pages >> p & 1)
			check_range(l, c->area + p * LOG_PAGE, 1, true);
}

/* Where the device wrote the element for a chain that was just found used. */
static uint64_t
element_gpa(const struct fake_guest *g, const struct fake_chain *c)
{
	struct iovt_vring_conf ring = fake_guest_ring(g, 0, 0);
	uint64_t at;

	if (ring.format == IOVT_PACKED) {
		at = (g->packed.used.idx + g->size - c->nr_desc) % g->size;
		return g->rings + at * sizeof(struct vring_packed_desc);
	}
	at = (g->split.used_idx - 1) & (g->size - 1);
	return g->rings + ((uint8_t *)ring.device - (uint8_t *)ring.desc) +
		offsetof(struct vring_used, ring) + at * sizeof(struct vring_used_elem);
}

void
log_check(const struct fake_guest *g, const struct fake_chain *c, uint32_t len)
{
	struct log *l = the_log;

	if (l == NULL || !l->checking)
		return;
	if (g->dir == IOVT_TO_GUEST)
		check_data(l, c, len);
	check_range(l, element_gpa(g, c), 1, false);
}
