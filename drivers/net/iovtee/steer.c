/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "log.h"
#include "steer.h"
#include "uplink.h"
#include "vhost.h"

/* What one rule says, with all that it points at. */
struct rule {
	struct rte_flow_item_eth eth;
	struct rte_flow_item_vlan vlan;
	struct rte_flow_item pattern[3];
	uint16_t queues[VHOST_QUEUES_MAX];
	struct rte_flow_action_queue to;
	struct rte_flow_action_rss over;
	struct rte_flow_action actions[2];
};

static const struct rte_flow_attr ingress = {.ingress = 1};

static void
match_guest(struct rule *r, const struct vhost_conf *conf)
{
	static const struct rte_flow_item_eth full_dst = {
		.hdr.dst_addr.addr_bytes = "\xff\xff\xff\xff\xff\xff",
	};
	static const struct rte_flow_item_vlan full_id = {.hdr.vlan_tci = RTE_BE16(0x0fff)};

	r->eth.hdr.dst_addr = conf->mac;
	r->pattern[0] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_ETH,
		.spec = &r->eth,
		.mask = &full_dst,
	};
	r->pattern[1].type = RTE_FLOW_ITEM_TYPE_END;
	if (conf->vlan < 0)
		return;
	r->vlan.hdr.vlan_tci = rte_cpu_to_be_16(conf->vlan);
	r->pattern[1] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_VLAN,
		.spec = &r->vlan,
		.mask = &full_id,
	};
	r->pattern[2].type = RTE_FLOW_ITEM_TYPE_END;
}

/* What the application has the port hash, else all that is usual; 0 leaves it to the driver. */
static uint64_t
hash_types(const struct uplink *up)
{
	struct rte_eth_rss_conf conf = {.rss_key = NULL};
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(up->phys_port, &info) != 0)
		return 0;
	if (rte_eth_dev_rss_hash_conf_get(up->phys_port, &conf) != 0 || conf.rss_hf == 0)
		conf.rss_hf = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
	return conf.rss_hf & info.flow_type_rss_offloads;
}

/* A QUEUE action for one queue: more NICs have it. */
static void
send_to(struct rule *r, const struct vhost_port *p, uint32_t queues)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < p->conf.queues; i++)
		if (queues >> i & 1)
			r->queues[n++] = p->conf.rxq + i;
	r->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
	if (n == 1) {
		r->to.index = r->queues[0];
		r->actions[0].type = RTE_FLOW_ACTION_TYPE_QUEUE;
		r->actions[0].conf = &r->to;
		return;
	}
	r->over = (struct rte_flow_action_rss){
		.types = hash_types(p->uplink),
		.queue_num = n,
		.queue = r->queues,
	};
	r->actions[0].type = RTE_FLOW_ACTION_TYPE_RSS;
	r->actions[0].conf = &r->over;
}

static void
write_rule(struct rule *r, const struct vhost_port *p, uint32_t queues)
{
	memset(r, 0, sizeof(*r));
	match_guest(r, &p->conf);
	send_to(r, p, queues);
}

static void
log_refusal(const struct vhost_port *p, uint32_t queues, const struct rte_flow_error *error)
{
	IOVTEE_LOG(WARNING,
		"the NIC refuses a rule for " RTE_ETHER_ADDR_PRT_FMT " and %d queues: %s",
		RTE_ETHER_ADDR_BYTES(&p->conf.mac), __builtin_popcount(queues),
		error->message != NULL ? error->message : "no reason given");
}

/* Is there a reason against such a rule, besides the present one, which it will replace? */
static bool
is_possible(const struct vhost_port *p, uint32_t queues)
{
	struct rte_flow_error error = {.message = NULL};
	struct rule r;
	int ret;

	write_rule(&r, p, queues);
	ret = rte_flow_validate(p->uplink->phys_port, &ingress, r.pattern, r.actions, &error);
	if (ret == 0 || ret == -EEXIST)
		return true;
	log_refusal(p, queues, &error);
	return false;
}

static uint32_t
lowest(uint32_t set, unsigned int n)
{
	uint32_t rest = set;

	while (n-- > 0)
		rest &= rest - 1;
	return set & ~rest;
}

/* Some NICs take powers of two only. */
static unsigned int
next_lower_size(unsigned int n)
{
	return n > 1 ? rte_align32prevpow2(n - 1) : 0;
}

uint32_t
steer_choose(const struct vhost_port *p, uint32_t queues)
{
	unsigned int n = __builtin_popcount(queues);

	while (n > 0 && !is_possible(p, lowest(queues, n)))
		n = next_lower_size(n);
	return lowest(queues, n);
}

static bool
install(struct vhost_port *p)
{
	struct rte_flow_error error = {.message = NULL};
	struct rule r;

	write_rule(&r, p, p->spread.steered);
	p->spread.rule = rte_flow_create(p->uplink->phys_port, &ingress, r.pattern, r.actions,
		&error);
	if (p->spread.rule == NULL)
		log_refusal(p, p->spread.steered, &error);
	return p->spread.rule != NULL;
}

static void
remove_rule(struct vhost_port *p)
{
	struct rte_flow_error error = {.message = NULL};

	if (p->spread.rule != NULL &&
		rte_flow_destroy(p->uplink->phys_port, p->spread.rule, &error) < 0)
		IOVTEE_LOG(ERR, "%s: the NIC does not remove a rule: %s", p->data->name,
			error.message != NULL ? error.message : "no reason given");
	p->spread.rule = NULL;
}

bool
steer_set(struct vhost_port *p, uint32_t queues)
{
	if (queues == p->spread.steered && (queues == 0 || p->spread.rule != NULL))
		return true;
	remove_rule(p);
	p->spread.steered = queues;
	return queues == 0 || install(p);
}

void
steer_park(struct uplink *up)
{
	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_port *p = up->claim[i] != NULL ? up->claim[i]->port : NULL;

		if (p == NULL || p->spread.rule == NULL)
			continue;
		remove_rule(p);
		p->spread.parked = true;
	}
}

void
steer_unpark(struct uplink *up)
{
	bool exclusive = steer_keep_exclusive(up) >= 0;

	for (unsigned int i = 0; i < UPLINK_QUEUES_MAX; i++) {
		struct vhost_port *p = up->claim[i] != NULL ? up->claim[i]->port : NULL;

		if (p == NULL || !p->spread.parked)
			continue;
		p->spread.parked = false;
		if (!exclusive || !install(p))
			IOVTEE_LOG(ERR, "%s: the steering rule is lost after a port restart",
				p->data->name);
	}
}

#define RETA_GROUPS (RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE)

static bool
is_exclusive(const struct uplink *up, uint16_t queue)
{
	/* Queue 0 gets what matches nothing: it is never mapped for an untrusted guest. */
	return queue != 0 && queue < UPLINK_QUEUES_MAX && up->claim[queue] != NULL &&
		!up->claim[queue]->port->conf.trust;
}

static bool
any_exclusive(const struct uplink *up)
{
	for (uint16_t i = 0; i < UPLINK_QUEUES_MAX; i++)
		if (is_exclusive(up, i))
			return true;
	return false;
}

/* Replace every entry that points at an exclusive queue. Returns how many there were. */
static unsigned int
redirect(const struct uplink *up, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	unsigned int changed = 0;
	uint16_t next = 0;

	for (uint16_t i = 0; i < size; i++) {
		uint16_t *entry =
			&reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];

		if (!is_exclusive(up, *entry))
			continue;
		do
			next = (next + 1) % up->data->nb_rx_queues;
		while (is_exclusive(up, next)); /* ends at queue 0 */
		*entry = next;
		changed++;
	}
	return changed;
}

int
steer_keep_exclusive(struct uplink *up)
{
	struct rte_eth_rss_reta_entry64 reta[RETA_GROUPS];
	struct rte_eth_dev_info info;
	int ret, changed;

	if (!(up->data->dev_conf.rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG) ||
		up->data->nb_rx_queues < 2 || !any_exclusive(up))
		return 0;
	ret = rte_eth_dev_info_get(up->phys_port, &info);
	if (ret != 0)
		return ret;
	if (info.reta_size == 0 || info.reta_size > RTE_ETH_RSS_RETA_SIZE_512)
		return -ENOTSUP;
	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < RTE_DIM(reta); i++)
		reta[i].mask = UINT64_MAX;
	ret = rte_eth_dev_rss_reta_query(up->phys_port, reta, info.reta_size);
	if (ret != 0)
		return ret;
	changed = redirect(up, reta, info.reta_size);
	if (changed > 0)
		ret = rte_eth_dev_rss_reta_update(up->phys_port, reta, info.reta_size);
	return ret != 0 ? ret : changed;
}

int
steer_reta_update(struct uplink *up, const struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	struct rte_eth_rss_reta_entry64 allowed[RETA_GROUPS];

	if (size > RTE_ETH_RSS_RETA_SIZE_512)
		return -ENOTSUP;
	memcpy(allowed, reta,
		RTE_ALIGN_MUL_CEIL(size, RTE_ETH_RETA_GROUP_SIZE) / RTE_ETH_RETA_GROUP_SIZE *
			sizeof(*reta));
	redirect(up, allowed, size);
	return rte_eth_dev_rss_reta_update(up->phys_port, allowed, size);
}
