/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PVP_OPTIONS_H
#define PVP_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "datapath.h"

#define MAX_FRAMES 16

struct options {
	unsigned int frames[MAX_FRAMES]; /* bytes, with CRC */
	unsigned int frame_count;
	const struct datapath_spec *datapaths[MAX_DATAPATHS];
	unsigned int datapath_count;
	unsigned int rounds;
	unsigned int round_ms;
	const char *json; /* file, NULL: none */
	bool help;
};

/* argv[0] is the program, the rest the benchmark's own options. */
int options_parse(struct options *o, int argc, char **argv);
void options_usage(FILE *f);

#endif
