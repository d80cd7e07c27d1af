/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "options.h"

#define FRAME_MIN    64
#define FRAME_MAX    1518
#define ROUNDS_MAX   10000
#define ROUND_MS_MAX 10000

#define BENCH_FRAMES  "64,128,256,512,1024,1280,1518"
#define BENCH_ROUNDS  60
#define DEMO_FRAMES   "64,512,1518"
#define DEMO_ROUNDS   20
#define ROUND_MS      20
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
		"  --rounds N        measured rounds of each datapath (%u)\n"
		"  --round-ms N      length of a round in ms (%u)\n"
		"  --json FILE       write the results to FILE\n"
		"  --demo            short run: --frames " DEMO_FRAMES " --rounds %u\n"
		"  --help            this text\n"
		"\nDatapaths:\n",
		FRAME_MIN, FRAME_MAX, BENCH_ROUNDS, ROUND_MS, DEMO_ROUNDS);
	for (unsigned int i = 0; i < datapath_spec_count; i++)
		fprintf(f, "  %-16s  %s\n", datapath_specs[i].name, datapath_specs[i].what);
	fprintf(f,
		"\nTwo lcores are needed (-l 0-1): the first runs NIC and NF, the second the switch.\n");
}

static int
parse_number(const char *option, const char *text, unsigned int min, unsigned int max,
	unsigned int *value)
{
	unsigned long n;
	char *end;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n < min || n > max) {
		pvp_error("%s '%s': give a number from %u to %u", option, text, min, max);
		return -EINVAL;
	}
	*value = n;
	return 0;
}

static int
add_frame(struct options *o, const char *text)
{
	if (o->frame_count == MAX_FRAMES) {
		pvp_error("--frames: '%s' is one too many; give at most %u sizes", text,
			MAX_FRAMES);
		return -E2BIG;
	}
	return parse_number("--frames", text, FRAME_MIN, FRAME_MAX, &o->frames[o->frame_count++]);
}

static int
add_datapath(struct options *o, const char *text)
{
	const struct datapath_spec *spec = datapath_find(text);

	if (spec == NULL) {
		pvp_error("--datapaths: unknown datapath '%s'; --help lists the known ones", text);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < o->datapath_count; i++) {
		if (o->datapaths[i] == spec) {
			pvp_error("--datapaths: '%s' is given twice; give it once", text);
			return -EINVAL;
		}
	}
	o->datapaths[o->datapath_count++] = spec;
	return 0;
}

/* Call `add` for every element of the list "a,b,c". */
static int
parse_list(struct options *o, const char *list, int (*add)(struct options *, const char *))
{
	char *copy = strdup(list), *rest = copy, *element;
	int ret = 0;

	if (copy == NULL)
		return -ENOMEM;
	while (ret == 0 && (element = strsep(&rest, ",")) != NULL)
		ret = add(o, element);
	free(copy);
	return ret;
}

int
options_parse(struct options *o, int argc, char **argv)
{
	enum { FRAMES = 256, DATAPATHS, ROUNDS, ROUND_MS_OPT, JSON, DEMO, HELP };
	static const struct option known[] = {
		{"frames", required_argument, NULL, FRAMES},
		{"datapaths", required_argument, NULL, DATAPATHS},
		{"rounds", required_argument, NULL, ROUNDS},
		{"round-ms", required_argument, NULL, ROUND_MS_OPT},
		{"json", required_argument, NULL, JSON},
		{"demo", no_argument, NULL, DEMO},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	const char *frames = NULL, *datapaths = ALL_DATAPATHS;
	bool demo = false;
	int opt, ret = 0;

	memset(o, 0, sizeof(*o));
	o->round_ms = ROUND_MS;
	optind = 1;
	while (ret == 0 && (opt = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (opt) {
		case FRAMES:
			frames = optarg;
			break;
		case DATAPATHS:
			datapaths = optarg;
			break;
		case ROUNDS:
			ret = parse_number("--rounds", optarg, 1, ROUNDS_MAX, &o->rounds);
			break;
		case ROUND_MS_OPT:
			ret = parse_number("--round-ms", optarg, 1, ROUND_MS_MAX, &o->round_ms);
			break;
		case JSON:
			o->json = optarg;
			break;
		case DEMO:
			demo = true;
			break;
		case HELP:
			o->help = true;
			return 0;
		default:
			pvp_error("--help lists the options");
			return -EINVAL;
		}
	}
	if (ret == 0 && optind < argc) {
		pvp_error("unexpected argument '%s'; --help lists the options", argv[optind]);
		ret = -EINVAL;
	}
	if (o->rounds == 0)
		o->rounds = demo ? DEMO_ROUNDS : BENCH_ROUNDS;
	if (frames == NULL)
		frames = demo ? DEMO_FRAMES : BENCH_FRAMES;
	if (ret == 0)
		ret = parse_list(o, frames, add_frame);
	if (ret == 0)
		ret = parse_list(o, datapaths, add_datapath);
	return ret;
}
