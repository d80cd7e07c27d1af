/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_config.h>

#include "message.h"
#include "setups.h"

struct specs {
	const struct datapath_spec *spec[MAX_DATAPATHS];
	unsigned int count;
};

static int
add_spec(void *ctx, const char *name)
{
	const struct datapath_spec *spec = datapath_find(name);
	struct specs *s = ctx;

	if (spec == NULL) {
		pvp_error("--datapaths: unknown datapath '%s'; --help lists the known ones", name);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < s->count; i++) {
		if (s->spec[i] == spec) {
			pvp_error("--datapaths: '%s' is given twice; give it once", name);
			return -EINVAL;
		}
	}
	if (s->count == MAX_DATAPATHS) {
		pvp_error("--datapaths: '%s' is one too many; give at most %u", name,
			MAX_DATAPATHS);
		return -E2BIG;
	}
	s->spec[s->count++] = spec;
	return 0;
}

static int
add_setup(struct options *o, const struct setup *setup)
{
	if (setup->chain > 1 && setup->ports > 1) {
		pvp_error("--chain '%u' with --ports '%u': leave one out", setup->chain,
			setup->ports);
		return -EINVAL;
	}
	if (o->setup_count == MAX_DATAPATHS) {
		pvp_error("--datapaths, --chain, --ports: more than %u combinations; give fewer",
			MAX_DATAPATHS);
		return -E2BIG;
	}
	o->setups[o->setup_count++] = *setup;
	return 0;
}

/* All exist side by side. */
static int
check_port_count(const struct options *o)
{
	unsigned int needed = 0;

	for (unsigned int i = 0; i < o->setup_count; i++)
		needed += datapath_ports_needed(&o->setups[i]);
	if (needed <= RTE_MAX_ETHPORTS)
		return 0;
	pvp_error("--datapaths, --chain, --ports: %u DPDK ports are needed side by side, and "
		  "there can be %u (RTE_MAX_ETHPORTS); compare fewer datapaths at a time",
		needed, RTE_MAX_ETHPORTS);
	return -E2BIG;
}

/* A limit has no NF: it is there once, whatever is said about NFs. */
static int
add_setups(struct options *o, const struct datapath_spec *spec, const struct numbers *chain,
	const struct numbers *ports, bool guests)
{
	struct setup setup = {spec, 1, 1, guests && spec->guest};
	int ret = 0;

	if (spec->nf == NULL)
		return add_setup(o, &setup);
	for (unsigned int c = 0; ret == 0 && c < chain->count; c++) {
		setup.chain = chain->value[c];
		for (unsigned int p = 0; ret == 0 && p < ports->count; p++) {
			setup.ports = ports->value[p];
			ret = add_setup(o, &setup);
		}
	}
	return ret;
}

int
setups_make(struct options *o, const char *datapaths, const char *chain, const char *ports,
	bool guests)
{
	struct specs specs = {.count = 0};
	struct numbers c, p;
	int ret;

	ret = for_each_element(datapaths, add_spec, &specs);
	if (ret == 0)
		ret = parse_numbers("--chain", chain, 1, CHAIN_MAX, &c);
	if (ret == 0)
		ret = parse_numbers("--ports", ports, 1, MAX_NFS, &p);
	for (unsigned int i = 0; ret == 0 && i < specs.count; i++)
		ret = add_setups(o, specs.spec[i], &c, &p, guests);
	return ret < 0 ? ret : check_port_count(o);
}
