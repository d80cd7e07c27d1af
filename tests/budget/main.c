/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Usage: iovtee-budget [--for]
 *
 * Runs all cases, and prints a line for each: name, frame size, ring format, packets that were counted.
 * --for: prints what the counts depend on, and ends.
 */
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_version.h>

#include "budget.h"
#include "nic.h"

/* Laps before the count, and counted ones: both so many that the ring comes round twice. */
#define LAPS 16

static const struct budget_case cases[] = {
	{"engine-harvest", 64, &engine_receive, HARVEST, IN_PLACE},
	{"engine-complete", 64, &engine_receive, COMPLETE, IN_PLACE},
	{"engine-copy", 64, &engine_receive, COPY, COPIED},
	{"engine-copy", 1518, &engine_receive, COPY, COPIED},
	{"engine-take-copied", 64, &engine_transmit, TAKE, COPIED},
	{"engine-take-copied", 1518, &engine_transmit, TAKE, COPIED},
	{"engine-take-borrowed", 64, &engine_transmit, TAKE, WHOLE},
	{"engine-return", 64, &engine_transmit, RETURN, WHOLE},
	{"refill", 64, &port_receive, REFILL, IN_PLACE},
	{"uplink-rx-plain", 64, &port_receive, UPLINK_RX, COPIED, .any_ring = true},
	{"uplink-rx-in-place", 64, &port_receive, UPLINK_RX, IN_PLACE, .any_ring = true},
	{"vhost-tx-copied", 64, &port_receive, VHOST_TX, COPIED},
	{"vhost-tx-copied", 1518, &port_receive, VHOST_TX, COPIED},
	{"vhost-tx-in-place", 64, &port_receive, VHOST_TX, IN_PLACE},
	{"vhost-tx-in-place", 1518, &port_receive, VHOST_TX, IN_PLACE},
	{"vhost-rx-copied", 64, &port_transmit, VHOST_RX, COPIED},
	{"vhost-rx-copied", 1518, &port_transmit, VHOST_RX, COPIED},
	{"vhost-rx-headers", 64, &port_transmit, VHOST_RX, HEADERS},
	{"vhost-rx-headers", 1518, &port_transmit, VHOST_RX, HEADERS},
	{"vhost-rx-whole", 64, &port_transmit, VHOST_RX, WHOLE},
	{"vhost-rx-whole", 1518, &port_transmit, VHOST_RX, WHOLE},
	{"uplink-tx-plain", 64, &port_transmit, UPLINK_TX, COPIED, .any_ring = true},
	{"uplink-tx-headers", 1518, &port_transmit, UPLINK_TX, HEADERS, .any_ring = true},
	{"uplink-tx-whole", 64, &port_transmit, UPLINK_TX, WHOLE, .any_ring = true},
	{"return-headers", 1518, &port_transmit, RETURN, HEADERS},
	{"return-whole", 64, &port_transmit, RETURN, WHOLE},
};

static uint64_t counted;

uint32_t
budget_len(const struct budget_case *c)
{
	return c->frame - RTE_ETHER_CRC_LEN;
}

/* The count is switched on and off where this function begins and ends: that is its name's work. */
__attribute__((noinline)) uint16_t
counted_burst(burst_fn fn, void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = fn(queue, pkts, n);

	counted += done;
	return done;
}

/* What was counted since the last call is written down where this function ends. */
static __attribute__((noinline)) void
write_count(void)
{
	__asm__ volatile("");
}

static void
run_laps(const struct budget_case *c, void *bed)
{
	counted = 0;
	for (unsigned int i = 0; i < LAPS; i++)
		c->bed->lap(bed);
	CHECK(counted == LAPS * BURST);
	write_count();
}

static void
run_case(const struct budget_case *c, const struct fake_format *format)
{
	void *bed = c->bed->open(c, format);

	snprintf(fake_context, sizeof(fake_context), "%s, %u bytes, %s", c->name, c->frame,
		format->name);
	run_laps(c, bed); /* to the steady state */
	run_laps(c, bed);
	c->bed->close(bed);
	printf("%s %u %s %" PRIu64 "\n", c->name, c->frame, c->any_ring ? "any" : format->name,
		counted);
}

#ifdef __AVX__
#define VECTORS " with AVX"
#else
#define VECTORS ""
#endif

static void
print_for(void)
{
	printf("%s, DPDK %d.%02d, glibc %s, %s%s\n", BUDGET_COMPILER, RTE_VER_YEAR, RTE_VER_MONTH,
		gnu_get_libc_version(), BUDGET_CPU, VECTORS);
}

static void
start(void)
{
	const char *args[] = {"budget", "-l", "0", "--no-pci", "--no-telemetry", "--no-shconf",
		"--file-prefix=budget", "--no-huge", "-m", "64", "--iova-mode=va",
		"--log-level=notice"};

	CHECK(rte_eal_init(RTE_DIM(args), (char **)(uintptr_t)args) >= 0);
	nic_open();
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--for") == 0) {
		print_for();
		return 0;
	}
	start();
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		run_case(&cases[i], &fake_split);
		if (!cases[i].any_ring)
			run_case(&cases[i], &fake_packed);
	}
	nic_close();
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
