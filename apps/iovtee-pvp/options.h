/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PVP_OPTIONS_H
#define PVP_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "datapath.h"

#define MAX_TRAFFICS 32

/* What the NICs generate. */
struct traffic {
	unsigned int frame; /* bytes, with CRC */
	unsigned int flows; /* for each NF that the NIC feeds */
};

struct options {
	struct traffic traffics[MAX_TRAFFICS];
	unsigned int traffic_count;
	struct setup setups[MAX_DATAPATHS];
	unsigned int setup_count;
	const struct datapath_spec *baseline; /* of the ratios */
	unsigned int rounds;
	unsigned int round_ms;
	const char *json; /* file, NULL: none */
	bool latency;     /* at shares of each one's own maximum, too */
	bool help;
};

/* argv[0] is the program, the rest the benchmark's own options. */
int options_parse(struct options *o, int argc, char **argv);
void options_usage(FILE *f);

#endif
