/* SPDX-License-Identifier: BSD-3-Clause */
#include "counts.h"
#include "port.h"
#include "traffic.h"

static void
read_counts(struct counts *c, const struct datapath *dp)
{
	traffic_counters(dp, &c->nics);
	for (unsigned int i = 0; i < dp->port_count; i++) {
		uint64_t zero_copy, copied;

		if (port_xstat(dp->port[i].id, "tx_q0_zero_copy_packets", &zero_copy) != 0 ||
			port_xstat(dp->port[i].id, "tx_q0_copied_packets", &copied) != 0)
			continue;
		c->zero_copy += zero_copy;
		c->copied += copied;
	}
}

void
counts_up(struct counts *start, const struct datapath *dp, struct samples *s)
{
	struct counts end = {0};
	uint64_t zero_copy, copied, back;

	read_counts(&end, dp);
	s->sent = end.nics.source_frames - start->nics.source_frames;
	back = end.nics.tx_frames - start->nics.tx_frames;
	/* A frame that was given up as lost may still come, and then belongs to the next traffic. */
	s->lost = s->sent > back ? s->sent - back : 0;
	s->verified = end.nics.tx_verified - start->nics.tx_verified;
	s->corrupt = end.nics.tx_corrupt - start->nics.tx_corrupt;
	s->iommu_faults = end.nics.iommu_faults - start->nics.iommu_faults;
	s->burst = (double)start->tally.received / start->tally.bursts;
	s->interrupted = (double)start->tally.interrupted / start->tally.iterations;
	zero_copy = end.zero_copy - start->zero_copy;
	copied = end.copied - start->copied;
	s->zero_copy = zero_copy + copied > 0 ? (double)zero_copy / (zero_copy + copied) : -1;
	*start = end;
}
