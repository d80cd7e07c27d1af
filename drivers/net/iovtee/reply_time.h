/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a guest waits for the reply to GET_VRING_BASE, which is when its buffers are revoked. */
#ifndef IOVTEE_REPLY_TIME_H
#define IOVTEE_REPLY_TIME_H

#include <stdint.h>

/* As many as percentiles are taken of. */
#define REPLY_TIMES 1024

struct reply_time {
	uint64_t began; /* TSC */
	uint64_t count;
	uint32_t ns[REPLY_TIMES]; /* the newest, in the order in which they came */
};

struct reply_time_summary {
	uint64_t count;
	uint32_t last_ns, p50_ns, p99_ns, max_ns; /* the last three of the newest REPLY_TIMES */
};

/* With the control lock held. */
void reply_time_begin(struct reply_time *t);
void reply_time_end(struct reply_time *t);
struct reply_time_summary reply_time_summary(const struct reply_time *t);

#endif
