/* SPDX-License-Identifier: BSD-3-Clause */
/* Device arguments: one table, one error message each. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_kvargs.h>

#include "emunic.h"

struct key;
typedef int (*parse_t)(const struct key *key, const char *value, struct emu_conf *conf);

struct key {
	const char *name;
	parse_t parse;
	size_t offset;
	uint64_t min, max;
	const char *expects; /* for the message */
};

static void *
field(const struct key *key, struct emu_conf *conf)
{
	return (char *)conf + key->offset;
}

static int
parse_number(const struct key *key, const char *value, struct emu_conf *conf)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)value[0]))
		return -EINVAL;
	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno != 0 || *end != '\0' || n < key->min || n > key->max)
		return -EINVAL;
	*(uint64_t *)field(key, conf) = n;
	return 0;
}

static int
parse_cpu(const struct key *key, const char *value, struct emu_conf *conf)
{
	conf->cpu_set = true;
	return parse_number(key, value, conf);
}

static int
parse_mac(const struct key *key, const char *value, struct emu_conf *conf)
{
	return rte_ether_unformat_addr(value, field(key, conf)) == 0 ? 0 : -EINVAL;
}

static int
parse_own_mac(const struct key *key, const char *value, struct emu_conf *conf)
{
	if (parse_mac(key, value, conf) != 0 || !rte_is_valid_assigned_ether_addr(&conf->mac))
		return -EINVAL;
	return 0;
}

static int
parse_path(const struct key *key, const char *value, struct emu_conf *conf)
{
	if (strlen(value) >= PATH_MAX)
		return -EINVAL;
	strcpy(field(key, conf), value);
	return 0;
}

static int
parse_engine(const struct key *key, const char *value, struct emu_conf *conf)
{
	conf->step = strcmp(value, "step") == 0;
	return conf->step || strcmp(value, "thread") == 0 ? 0 : -EINVAL;
}

static int
parse_start(const struct key *key, const char *value, struct emu_conf *conf)
{
	conf->manual = strcmp(value, "manual") == 0;
	return conf->manual || strcmp(value, "auto") == 0 ? 0 : -EINVAL;
}

#define NUMBER(key, field, lo, hi)                                                                 \
	{                                                                                          \
		key, parse_number, offsetof(struct emu_conf, field), lo, hi,                       \
			"a number from " #lo " to " #hi                                            \
	}
#define SWITCH(key, field)                                                                         \
	{                                                                                          \
		key, parse_number, offsetof(struct emu_conf, field), 0, 1, "0 or 1"                \
	}

/* The shortest max_frame holds the least MTU that ethdev knows. */
static_assert(RTE_ETHER_MIN_MTU + EMU_OVERHEAD == 86, "lower limit of max_frame");
static_assert(EMU_MAX_QUEUES == 32 && EMU_MAX_FRAME == 9728 && EMU_MIN_FRAME == 60 &&
		EMU_MAX_FLOWS == 131072,
	"the limits below are spelled out for the messages");

static const struct key keys[] = {
	NUMBER("rxq", rxq, 1, 32),
	NUMBER("txq", txq, 1, 32),
	{"mac", parse_own_mac, offsetof(struct emu_conf, mac), 0, 0, "a unicast address"},
	{"engine", parse_engine, 0, 0, 0, "thread or step"},
	{"cpu", parse_cpu, offsetof(struct emu_conf, cpu), 0, CPU_SETSIZE - 1, "a CPU number"},
	NUMBER("max_frame", max_frame, 86, 9728),
	SWITCH("rxq_stop", rxq_stop),
	SWITCH("flow_rss", flow_rss),
	SWITCH("reta_keep", reta_keep),
	SWITCH("reta_fail", reta_fail),
	SWITCH("tx_offload", tx_offload),
	SWITCH("gen", gen),
	NUMBER("frame", frame, 60, 9728),
	NUMBER("flows", flows, 1, 131072),
	NUMBER("origin", origin, 0, 255),
	{"dst", parse_mac, offsetof(struct emu_conf, dst), 0, 0, "an address"},
	{"count", parse_number, offsetof(struct emu_conf, count), 0, UINT64_MAX, "a number"},
	{"rate", parse_number, offsetof(struct emu_conf, rate), 0, UINT64_MAX, "frames per second"},
	SWITCH("pause", pause),
	{"start", parse_start, 0, 0, 0, "auto or manual"},
	{"rx_pcap", parse_path, offsetof(struct emu_conf, rx_pcap), 0, 0, "the path of a capture"},
	{"tx_pcap", parse_path, offsetof(struct emu_conf, tx_pcap), 0, 0, "a path to write to"},
	SWITCH("loop", loop),
	{"verify", parse_number, offsetof(struct emu_conf, verify), 1, UINT32_MAX,
		"a number from 1: every how many frames one is checked in full"},
};

/* The number at the end of the device's name makes its default address. */
static void
set_defaults(const char *name, struct emu_conf *conf)
{
	const char *digits = name + strlen(name);
	unsigned long n;

	while (digits > name && isdigit((unsigned char)digits[-1]))
		digits--;
	n = strtoul(digits, NULL, 10);
	*conf = (struct emu_conf){
		.rxq = 1,
		.txq = 1,
		.max_frame = RTE_ETHER_MTU + EMU_OVERHEAD,
		.rxq_stop = 1,
		.flow_rss = 1,
		.reta_keep = 1,
		.frame = EMU_MIN_FRAME,
		.flows = 16,
		.verify = 1,
		.tx_offload = 1,
		.mac = {{0x02, 0xee, 0x00, n >> 16, n >> 8, n}},
		.dst = {{0x02, 0x00, 0x00, 0x00, 0x00, 0x01}},
	};
}

static const struct key *
find_key(const char *name)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

static int
parse_pair(const char *name, const char *key_name, const char *value, struct emu_conf *conf)
{
	const struct key *key = find_key(key_name);
	char known[256] = "";
	unsigned int i;

	if (key == NULL) {
		for (i = 0; i < RTE_DIM(keys); i++) {
			strcat(known, " ");
			strcat(known, keys[i].name);
		}
		EMU_LOG(ERR, "%s: unknown argument %s; known are%s", name, key_name, known);
		return -EINVAL;
	}
	if (value == NULL || value[0] == '\0' || key->parse(key, value, conf) != 0) {
		EMU_LOG(ERR, "%s: %s=%s is wrong; %s expects %s", name, key_name,
			value == NULL ? "" : value, key_name, key->expects);
		return -EINVAL;
	}
	return 0;
}

/* What no single key can tell. */
static int
check(const char *name, const struct emu_conf *conf)
{
	if (conf->frame > conf->max_frame) {
		EMU_LOG(ERR,
			"%s: frame=%" PRIu64 " is longer than max_frame=%" PRIu64 "; "
			"raise max_frame",
			name, conf->frame, conf->max_frame);
		return -EINVAL;
	}
	if (conf->gen && conf->rx_pcap[0] != '\0') {
		EMU_LOG(ERR, "%s: gen=1 and rx_pcap=%s: a port has one source; leave one out", name,
			conf->rx_pcap);
		return -EINVAL;
	}
	if (conf->cpu_set && conf->step) {
		EMU_LOG(ERR,
			"%s: cpu=%" PRIu64 " with engine=step: there is no thread to place; "
			"leave one out",
			name, conf->cpu);
		return -EINVAL;
	}
	return 0;
}

/** Read the device's arguments; says what is wrong. */
int
emu_args_parse(const char *name, const char *args, struct emu_conf *conf)
{
	struct rte_kvargs *list;
	unsigned int i;
	int ret = 0;

	set_defaults(name, conf);
	list = rte_kvargs_parse(args == NULL ? "" : args, NULL);
	if (list == NULL) {
		EMU_LOG(ERR, "%s: cannot read the arguments \"%s\"; write key=value,key=value",
			name, args);
		return -EINVAL;
	}
	for (i = 0; i < list->count && ret == 0; i++)
		ret = parse_pair(name, list->pairs[i].key, list->pairs[i].value, conf);
	rte_kvargs_free(list);
	return ret == 0 ? check(name, conf) : ret;
}
