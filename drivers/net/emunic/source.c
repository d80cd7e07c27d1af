/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes in from the wire: generator or capture, switched and paced. */
#include <errno.h>

#include <rte_cycles.h>

#include "emunic.h"

/* A source that could not run for a while (its thread had no CPU) catches up this much at most. */
#define CATCH_UP_MIN EMU_BATCH
#define CATCH_UP_S   0.001

/* The engine sleeps this long while a frame waits for a descriptor, or none is due for a while. */
#define BLOCKED_NS 50000
#define GAP_NS     100000

void
emu_pace_set(struct emu_pace *pace, uint64_t rate)
{
	pace->period = rate == 0 ? 0 : (double)rte_get_tsc_hz() / rate;
	pace->due = rte_rdtsc();
}

bool
emu_source_done(const struct emu *emu)
{
	if (emu->gen != NULL)
		return emu_gen_done(emu->gen);
	return emu->replay == NULL || emu_replay_done(emu->replay);
}

/** After a batch that moved nothing: how long the engine may sleep, as its source has nothing for the queues. */
uint32_t
emu_source_rest_ns(const struct emu *emu)
{
	double ns = (emu->pace.due - emu->now) * 1e9 / rte_get_tsc_hz();

	if (!emu->source_on || emu_source_done(emu))
		return 0;
	if (ns < 0)
		return BLOCKED_NS;
	return ns < 2 * GAP_NS ? 0 : GAP_NS;
}

/** Switch on or off, under the lock. */
int
emu_source_switch(struct emu *emu, bool on)
{
	if (emu->gen == NULL && emu->replay == NULL)
		return -ENOENT;
	if (on && !emu->source_on)
		emu->pace.due = rte_rdtsc();
	if (on && emu_source_done(emu)) {
		if (emu->gen != NULL)
			emu_gen_rewind(emu->gen);
		else
			emu_replay_rewind(emu->replay);
	}
	emu->source_on = on;
	return 0;
}

/* Frames that are due by now. */
static unsigned int
due(struct emu *emu, unsigned int budget)
{
	const double period = emu->pace.period;
	double late = emu->now - emu->pace.due, most;

	if (period == 0)
		return budget;
	if (late < 0)
		return 0;
	most = RTE_MAX(CATCH_UP_MIN * period, CATCH_UP_S * rte_get_tsc_hz());
	if (late > most) {
		emu->pace.due = emu->now - most;
		late = most;
	}
	return RTE_MIN(budget, (uint64_t)(late / period) + 1);
}

/** Take at most `budget` frames from the source; returns how many it gave, dropped ones included. */
unsigned int
emu_source_run(struct emu *emu, unsigned int budget)
{
	unsigned int n;

	if (!emu->source_on || (emu->gen == NULL && emu->replay == NULL))
		return 0;
	budget = due(emu, budget);
	if (budget == 0)
		return 0;
	if (emu->gen != NULL)
		n = emu_gen_run(emu, budget);
	else
		n = emu_replay_run(emu, budget);
	emu->pace.due += n * emu->pace.period;
	emu->counters[EMU_SOURCE_FRAMES] += n;
	return n;
}
