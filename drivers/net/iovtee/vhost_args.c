/* SPDX-License-Identifier: BSD-3-Clause */
/* Devargs of a vhost port. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_kvargs.h>

#include "log.h"
#include "vhost.h"

static const char *const keys[] = {
	"iface",
	"client",
	"queues",
	"uplink",
	"rxq",
	"mac",
	"vlan",
	"trust",
	"reserve",
	"starve",
	"headroom",
	"tx-zero-copy",
	"tx-offload",
	"state",
	NULL,
};

/* Where a handler stores the value of one key, and what it may be. */
struct number {
	const char *name;
	unsigned int min;
	unsigned int max;
	unsigned int value;
};

struct choice {
	const char *name;
	const char *no; /* spelling of false */
	const char *yes;
	bool value;
};

static int
parse_number(const char *key, const char *value, void *arg)
{
	struct number *n = arg;
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || v < n->min || v > n->max ||
		*value == '-') {
		IOVTEE_LOG(ERR, "%s: %s=%s: give a number from %u to %u", n->name, key, value,
			n->min, n->max);
		return -EINVAL;
	}
	n->value = v;
	return 0;
}

static int
parse_choice(const char *key, const char *value, void *arg)
{
	struct choice *c = arg;

	if (strcmp(value, c->no) != 0 && strcmp(value, c->yes) != 0) {
		IOVTEE_LOG(ERR, "%s: %s=%s: give %s or %s", c->name, key, value, c->no, c->yes);
		return -EINVAL;
	}
	c->value = strcmp(value, c->yes) == 0;
	return 0;
}

struct text {
	const char *name;
	char *value;
	size_t size;
};

static int
parse_text(const char *key, const char *value, void *arg)
{
	struct text *t = arg;

	if (*value == '\0' || strlen(value) >= t->size) {
		IOVTEE_LOG(ERR, "%s: %s=%s: it has %zu characters; 1 to %zu are possible", t->name,
			key, value, strlen(value), t->size - 1);
		return -EINVAL;
	}
	strcpy(t->value, value);
	return 0;
}

struct address {
	const char *name;
	struct rte_ether_addr *value;
	bool *given;
};

static int
parse_mac(const char *key, const char *value, void *arg)
{
	struct address *a = arg;

	if (rte_ether_unformat_addr(value, a->value) != 0 ||
		!rte_is_valid_assigned_ether_addr(a->value)) {
		IOVTEE_LOG(ERR, "%s: %s=%s: give a unicast address such as 02:00:00:00:00:01",
			a->name, key, value);
		return -EINVAL;
	}
	*a->given = true;
	return 0;
}

/* One of three words. */
struct level {
	const char *name;
	const char *word[3];
	unsigned int value;
};

static int
parse_level(const char *key, const char *value, void *arg)
{
	struct level *l = arg;

	for (unsigned int i = 0; i < RTE_DIM(l->word); i++) {
		if (strcmp(value, l->word[i]) == 0) {
			l->value = i;
			return 0;
		}
	}
	IOVTEE_LOG(ERR, "%s: %s=%s: give %s, %s or %s", l->name, key, value, l->word[0], l->word[1],
		l->word[2]);
	return -EINVAL;
}

static int
take(struct rte_kvargs *kv, const char *name, const char *key, arg_handler_t parse, void *arg)
{
	unsigned int n = rte_kvargs_count(kv, key);

	if (n > 1) {
		IOVTEE_LOG(ERR, "%s: %s is given %u times; give it once", name, key, n);
		return -EINVAL;
	}
	return n == 0 ? 0 : rte_kvargs_process(kv, key, parse, arg);
}

static int
take_number(struct rte_kvargs *kv, const char *name, const char *key, unsigned int min,
	unsigned int max, unsigned int *value)
{
	struct number n = {name, min, max, *value};
	int ret = take(kv, name, key, parse_number, &n);

	*value = n.value;
	return ret;
}

static int
take_choice(struct rte_kvargs *kv, const char *name, const char *key, const char *no,
	const char *yes, bool *value)
{
	struct choice c = {name, no, yes, *value};
	int ret = take(kv, name, key, parse_choice, &c);

	*value = c.value;
	return ret;
}

static int
take_text(struct rte_kvargs *kv, const char *name, const char *key, char *value, size_t size)
{
	struct text t = {name, value, size};

	return take(kv, name, key, parse_text, &t);
}

/* A number alone is that of the port's name: a running application cannot give more than 127 bytes of devargs. */
static void
complete_uplink(char *uplink, size_t size)
{
	if (uplink[0] != '\0' && uplink[strspn(uplink, "0123456789")] == '\0')
		snprintf(uplink, size, UPLINK_DRIVER "%lu", strtoul(uplink, NULL, 10));
}

static int
take_all(struct rte_kvargs *kv, const char *name, struct vhost_conf *c)
{
	struct address mac = {name, &c->mac, &c->has_mac};
	struct level loans = {name,
		{
			[VHOST_LOANS_OFF] = "off",
			[VHOST_LOANS_PAYLOAD] = "payload",
			[VHOST_LOANS_WHOLE] = "whole",
		},
		c->loans};
	struct level offers = {name,
		{
			[VHOST_OFFERS_NOTHING] = "off",
			[VHOST_OFFERS_CSUM] = "csum",
			[VHOST_OFFERS_TSO] = "tso",
		},
		c->offers};
	struct level headroom = {name,
		{
			[VHOST_HEADROOM_AUTO] = "auto",
			[VHOST_HEADROOM_STRICT] = "strict",
			[VHOST_HEADROOM_GUEST] = "guest",
		},
		c->headroom};
	unsigned int queues = 1, rxq = 0, vlan = 0;

	if (take_text(kv, name, "iface", c->iface, sizeof(c->iface)) < 0 ||
		take_choice(kv, name, "client", "0", "1", &c->client) < 0 ||
		take_number(kv, name, "queues", 1, VHOST_QUEUES_MAX, &queues) < 0 ||
		take_text(kv, name, "uplink", c->uplink, sizeof(c->uplink)) < 0 ||
		take_number(kv, name, "rxq", 0, UPLINK_QUEUES_MAX - 1, &rxq) < 0 ||
		take(kv, name, "mac", parse_mac, &mac) < 0 ||
		take_number(kv, name, "vlan", 1, 4094, &vlan) < 0 ||
		take_choice(kv, name, "trust", "0", "1", &c->trust) < 0 ||
		take_number(kv, name, "reserve", 0, 90, &c->reserve) < 0 ||
		take_choice(kv, name, "starve", "host", "nic", &c->starve_nic) < 0 ||
		take(kv, name, "headroom", parse_level, &headroom) < 0 ||
		take(kv, name, "tx-zero-copy", parse_level, &loans) < 0 ||
		take(kv, name, "tx-offload", parse_level, &offers) < 0 ||
		take_text(kv, name, "state", c->state, sizeof(c->state)) < 0)
		return -EINVAL;
	complete_uplink(c->uplink, sizeof(c->uplink));
	c->headroom = headroom.value;
	c->loans = loans.value;
	c->offers = offers.value;
	c->queues = queues;
	c->rxq = rxq;
	c->vlan = rte_kvargs_count(kv, "vlan") > 0 ? (int)vlan : -1;
	if (c->iface[0] == '\0') {
		IOVTEE_LOG(ERR, "%s: iface=<socket path> is missing", name);
		return -EINVAL;
	}
	if (c->loans == VHOST_LOANS_WHOLE && !c->trust) {
		IOVTEE_LOG(ERR,
			"%s: tx-zero-copy=whole lets the guest change what the switch has looked at: it "
			"needs trust=1",
			name);
		return -EINVAL;
	}
	if (c->uplink[0] == '\0' && rte_kvargs_count(kv, "rxq") > 0) {
		IOVTEE_LOG(ERR, "%s: rxq=%u has no meaning without uplink=<port>", name, rxq);
		return -EINVAL;
	}
	return 0;
}

int
vhost_args_parse(const char *name, const char *args, struct vhost_conf *conf)
{
	struct rte_kvargs *kv = rte_kvargs_parse(args, keys);
	int ret;

	if (kv == NULL) {
		IOVTEE_LOG(ERR,
			"%s: '%s' has an unknown key or is no key=value list; keys: iface client queues "
			"uplink rxq mac vlan trust reserve starve headroom tx-zero-copy "
			"tx-offload state",
			name, args);
		return -EINVAL;
	}
	*conf = (struct vhost_conf){
		.reserve = 25,
		.vlan = -1,
		.loans = VHOST_LOANS_PAYLOAD,
		.state = VHOST_STATE_DEFAULT,
	};
	ret = take_all(kv, name, conf);
	rte_kvargs_free(kv);
	return ret;
}
