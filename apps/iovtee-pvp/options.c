/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "lists.h"
#include "options.h"
#include "setups.h"

#define FRAME_MIN    64
#define FRAME_MAX    1518
#define FLOWS_MAX    131072
#define ROUNDS_MAX   10000
#define ROUND_MS_MAX 10000

#define BENCH_FRAMES  "64,128,256,512,1024,1280,1518"
#define BENCH_ROUNDS  60
#define DEMO_FRAMES   "64,512,1518"
#define DEMO_ROUNDS   20
#define ROUND_MS      20
#define FLOWS         "16"
#define ALL_DATAPATHS DATAPATH_BASELINE ",iovtee-rx"

void
options_usage(FILE *f)
{
	fprintf(f,
		"Usage: iovtee-pvp [EAL options] -- [options]\n"
		"Compare datapaths on the path NIC -> switch -> NF -> switch -> NIC.\n"
		"\n"
		"  --frames LIST     frame sizes with CRC, %u to %u (" BENCH_FRAMES ")\n"
		"  --datapaths LIST  which to compare (" ALL_DATAPATHS ")\n"
		"  --baseline NAME   which of them the ratios are about (" DATAPATH_BASELINE ")\n"
		"  --chain LIST      NFs that a frame passes, 1 to %u (1)\n"
		"  --ports LIST      NFs side by side, each with traffic of its own, 1 to %u (1)\n"
		"  --flows LIST      flows for each NF side by side, 1 to %u in all (" FLOWS ")\n"
		"  --guests          NFs of the program's own, of which 16 fit beside a switch, not DPDK ports\n"
		"  --latency         also the latency at 10, 50 and 90 %% of each one's own maximum\n"
		"  --rounds N        measured rounds of each datapath (%u)\n"
		"  --round-ms N      length of a round in ms (%u)\n"
		"  --json FILE       write the results to FILE\n"
		"  --demo            short run: --frames " DEMO_FRAMES " --rounds %u\n"
		"  --help            this text\n"
		"\nDatapaths:\n",
		FRAME_MIN, FRAME_MAX, CHAIN_MAX, MAX_NFS, FLOWS_MAX, BENCH_ROUNDS, ROUND_MS,
		DEMO_ROUNDS);
	for (unsigned int i = 0; i < datapath_spec_count; i++)
		fprintf(f, "  %-19s  %s\n", datapath_specs[i].name, datapath_specs[i].what);
	fprintf(f,
		"\nTwo lcores are needed (-l 0-1): the first runs NIC and NF, the second the switch.\n");
}

/* What was given, or stands for what was not. */
struct texts {
	const char *frames, *flows, *datapaths, *chain, *ports, *baseline;
	bool guests, demo;
};

static int
take_option(int opt, const char *value, struct options *o, struct texts *t)
{
	switch (opt) {
	case 'f':
		t->frames = value;
		return 0;
	case 'F':
		t->flows = value;
		return 0;
	case 'd':
		t->datapaths = value;
		return 0;
	case 'b':
		t->baseline = value;
		return 0;
	case 'c':
		t->chain = value;
		return 0;
	case 'p':
		t->ports = value;
		return 0;
	case 'g':
		t->guests = true;
		return 0;
	case 'l':
		o->latency = true;
		return 0;
	case 'r':
		return parse_number("--rounds", value, 1, ROUNDS_MAX, &o->rounds);
	case 'm':
		return parse_number("--round-ms", value, 1, ROUND_MS_MAX, &o->round_ms);
	case 'j':
		o->json = value;
		return 0;
	case 'D':
		t->demo = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	default:
		pvp_error("--help lists the options");
		return -EINVAL;
	}
}

/* Every number of flows at every frame size. */
static int
make_traffics(struct options *o, const char *frames, const char *flows)
{
	struct numbers f, n;
	int ret;

	ret = parse_numbers("--frames", frames, FRAME_MIN, FRAME_MAX, &f);
	if (ret == 0)
		ret = parse_numbers("--flows", flows, 1, FLOWS_MAX, &n);
	if (ret < 0)
		return ret;
	if (f.count * n.count > MAX_TRAFFICS) {
		pvp_error("--frames, --flows: %u times %u combinations; give at most %u", f.count,
			n.count, MAX_TRAFFICS);
		return -E2BIG;
	}
	for (unsigned int i = 0; i < f.count * n.count; i++)
		o->traffics[i] = (struct traffic){f.value[i / n.count], n.value[i % n.count]};
	o->traffic_count = f.count * n.count;
	return 0;
}

static int
check_flows(const struct options *o)
{
	for (unsigned int s = 0; s < o->setup_count; s++) {
		for (unsigned int t = 0; t < o->traffic_count; t++) {
			if (o->traffics[t].flows * o->setups[s].ports <= FLOWS_MAX)
				continue;
			pvp_error("--flows '%u': with %u ports give at most %u",
				o->traffics[t].flows, o->setups[s].ports,
				FLOWS_MAX / o->setups[s].ports);
			return -EINVAL;
		}
	}
	return 0;
}

int
options_parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"frames", required_argument, NULL, 'f'},
		{"flows", required_argument, NULL, 'F'},
		{"datapaths", required_argument, NULL, 'd'},
		{"baseline", required_argument, NULL, 'b'},
		{"chain", required_argument, NULL, 'c'},
		{"ports", required_argument, NULL, 'p'},
		{"guests", no_argument, NULL, 'g'},
		{"latency", no_argument, NULL, 'l'},
		{"rounds", required_argument, NULL, 'r'},
		{"round-ms", required_argument, NULL, 'm'},
		{"json", required_argument, NULL, 'j'},
		{"demo", no_argument, NULL, 'D'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct texts t = {
		.flows = FLOWS,
		.datapaths = ALL_DATAPATHS,
		.chain = "1",
		.ports = "1",
		.baseline = DATAPATH_BASELINE,
	};
	int opt, ret = 0;

	memset(o, 0, sizeof(*o));
	o->round_ms = ROUND_MS;
	optind = 1;
	while (ret == 0 && !o->help && (opt = getopt_long(argc, argv, "", known, NULL)) != -1)
		ret = take_option(opt, optarg, o, &t);
	if (ret < 0 || o->help)
		return ret;
	if (optind < argc) {
		pvp_error("unexpected argument '%s'; --help lists the options", argv[optind]);
		return -EINVAL;
	}
	if (o->rounds == 0)
		o->rounds = t.demo ? DEMO_ROUNDS : BENCH_ROUNDS;
	if (t.frames == NULL)
		t.frames = t.demo ? DEMO_FRAMES : BENCH_FRAMES;
	o->baseline = datapath_find(t.baseline);
	if (o->baseline == NULL) {
		pvp_error("--baseline: unknown datapath '%s'; --help lists the known ones",
			t.baseline);
		return -EINVAL;
	}
	ret = make_traffics(o, t.frames, t.flows);
	if (ret == 0)
		ret = setups_make(o, t.datapaths, t.chain, t.ports, t.guests);
	return ret < 0 ? ret : check_flows(o);
}
