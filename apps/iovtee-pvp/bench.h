/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PVP_BENCH_H
#define PVP_BENCH_H

#include <signal.h>

#include "results.h"

/* Set by a signal: the run ends after the current round with -EINTR. */
extern volatile sig_atomic_t bench_interrupted;

/* Measure everything that r->options asks for; sockets are made in `dir`. */
int bench_run(struct results *r, const char *dir, unsigned int switch_lcore);

#endif
