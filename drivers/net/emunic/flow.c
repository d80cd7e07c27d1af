/* SPDX-License-Identifier: BSD-3-Clause */
/* rte_flow: exact destination address, optionally a VLAN, to a queue or hashed over several. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_flow_driver.h>

#include "emunic.h"

static struct emu *
priv(struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

static int
check_attr(const struct rte_flow_attr *attr, struct rte_flow_error *error)
{
	if (attr->group != 0)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, attr,
			"only group 0");
	if (attr->priority != 0)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY, attr,
			"only priority 0");
	if (!attr->ingress || attr->egress || attr->transfer)
		return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR, attr,
			"only ingress rules");
	return 0;
}

static const struct rte_flow_item *
skip_void(const struct rte_flow_item *item)
{
	while (item->type == RTE_FLOW_ITEM_TYPE_VOID)
		item++;
	return item;
}

static int
item_error(struct rte_flow_error *error, const struct rte_flow_item *item, const char *message)
{
	return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, item, message);
}

static int
parse_eth(const struct rte_flow_item *item, struct rte_flow *rule, struct rte_flow_error *error)
{
	const struct rte_flow_item_eth *spec = item->spec;
	const struct rte_flow_item_eth *mask = item->mask != NULL ? item->mask
								  : &rte_flow_item_eth_mask;

	if (item->type != RTE_FLOW_ITEM_TYPE_ETH || spec == NULL || item->last != NULL)
		return item_error(error, item, "the pattern must begin with ETH and one address");
	if (!rte_is_broadcast_ether_addr(&mask->hdr.dst_addr) ||
		!rte_is_zero_ether_addr(&mask->hdr.src_addr) || mask->hdr.ether_type != 0 ||
		mask->has_vlan != 0)
		return item_error(error, item,
			"ETH must match the full destination address and nothing else");
	rule->mac = emu_mac(&spec->hdr.dst_addr);
	return 0;
}

static int
parse_vlan(const struct rte_flow_item *item, struct rte_flow *rule, struct rte_flow_error *error)
{
	const struct rte_flow_item_vlan *spec = item->spec;
	const struct rte_flow_item_vlan *mask = item->mask != NULL ? item->mask
								   : &rte_flow_item_vlan_mask;

	if (spec == NULL || item->last != NULL)
		return item_error(error, item, "VLAN needs one id");
	if (mask->hdr.vlan_tci != rte_cpu_to_be_16(0xfff) || mask->hdr.eth_proto != 0 ||
		mask->has_more_vlan != 0)
		return item_error(error, item, "VLAN must match the 12-bit id and nothing else");
	rule->vid = rte_be_to_cpu_16(spec->hdr.vlan_tci) & 0xfff;
	return 0;
}

static int
parse_pattern(const struct rte_flow_item *item, struct rte_flow *rule, struct rte_flow_error *error)
{
	int ret;

	item = skip_void(item);
	ret = parse_eth(item, rule, error);
	if (ret != 0)
		return ret;
	rule->vid = EMU_NO_VID;
	item = skip_void(item + 1);
	if (item->type == RTE_FLOW_ITEM_TYPE_VLAN) {
		ret = parse_vlan(item, rule, error);
		if (ret != 0)
			return ret;
		item = skip_void(item + 1);
	}
	if (item->type != RTE_FLOW_ITEM_TYPE_END)
		return item_error(error, item, "only ETH, or ETH and VLAN, can be matched");
	return 0;
}

static int
action_error(struct rte_flow_error *error, int number, const struct rte_flow_action *action,
	const char *message)
{
	return rte_flow_error_set(error, number,
		number == EINVAL ? RTE_FLOW_ERROR_TYPE_ACTION_CONF : RTE_FLOW_ERROR_TYPE_ACTION,
		action, message);
}

static int
parse_queue(const struct rte_eth_dev *dev, const struct rte_flow_action *action,
	struct rte_flow *rule, struct rte_flow_error *error)
{
	const struct rte_flow_action_queue *conf = action->conf;

	if (conf == NULL || conf->index >= dev->data->nb_rx_queues)
		return action_error(error, EINVAL, action, "the port has no such Rx queue");
	rule->queues[0] = conf->index;
	rule->nb_queues = 1;
	return 0;
}

/* How frames are hashed: no types means all that the device can, no key means the port's. */
static int
parse_hash(const struct rte_eth_dev *dev, const struct rte_flow_action *action,
	struct rte_flow *rule, struct rte_flow_error *error)
{
	const struct rte_flow_action_rss *conf = action->conf;
	const struct emu *emu = dev->data->dev_private;

	if (conf->func != RTE_ETH_HASH_FUNCTION_DEFAULT &&
		conf->func != RTE_ETH_HASH_FUNCTION_TOEPLITZ)
		return action_error(error, ENOTSUP, action, "the hash function is Toeplitz");
	if (conf->level > 1)
		return action_error(error, ENOTSUP, action, "only outer headers are hashed");
	if (conf->types & ~EMU_RSS_HF)
		return action_error(error, ENOTSUP, action, "only IP, TCP and UDP are hashed");
	if (conf->key_len != 0 && (conf->key == NULL || conf->key_len != EMU_KEY_SIZE))
		return action_error(error, EINVAL, action, "an RSS key has 40 bytes");
	rule->hash.types = conf->types != 0 ? conf->types : EMU_RSS_HF;
	memcpy(rule->hash.key, conf->key_len != 0 ? conf->key : emu->steer.hash.key, EMU_KEY_SIZE);
	return 0;
}

static int
parse_rss(const struct rte_eth_dev *dev, const struct rte_flow_action *action,
	struct rte_flow *rule, struct rte_flow_error *error)
{
	const struct rte_flow_action_rss *conf = action->conf;
	const struct emu *emu = dev->data->dev_private;
	uint32_t i;

	if (!emu->conf.flow_rss)
		return action_error(error, ENOTSUP, action, "RSS is switched off (flow_rss=0)");
	if (conf == NULL || conf->queue == NULL || conf->queue_num == 0 ||
		conf->queue_num > EMU_MAX_QUEUES)
		return action_error(error, EINVAL, action, "RSS needs 1 to 32 queues");
	for (i = 0; i < conf->queue_num; i++) {
		if (conf->queue[i] >= dev->data->nb_rx_queues)
			return action_error(error, EINVAL, action, "the port has no such Rx queue");
		rule->queues[i] = conf->queue[i];
	}
	rule->nb_queues = conf->queue_num;
	rule->rss = true;
	return parse_hash(dev, action, rule, error);
}

static int
parse_actions(const struct rte_eth_dev *dev, const struct rte_flow_action *action,
	struct rte_flow *rule, struct rte_flow_error *error)
{
	int ret = 0;

	rule->nb_queues = 0;
	rule->rss = false;
	for (; ret == 0 && action->type != RTE_FLOW_ACTION_TYPE_END; action++) {
		if (action->type == RTE_FLOW_ACTION_TYPE_VOID)
			continue;
		if (action->type == RTE_FLOW_ACTION_TYPE_QUEUE && rule->nb_queues == 0)
			ret = parse_queue(dev, action, rule, error);
		else if (action->type == RTE_FLOW_ACTION_TYPE_RSS && rule->nb_queues == 0)
			ret = parse_rss(dev, action, rule, error);
		else
			ret = action_error(error, ENOTSUP, action,
				"one QUEUE or RSS is the only action");
	}
	if (ret == 0 && rule->nb_queues == 0)
		ret = action_error(error, ENOTSUP, action, "QUEUE or RSS is missing");
	return ret;
}

static int
parse(const struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
	struct rte_flow *rule, struct rte_flow_error *error)
{
	int ret = check_attr(attr, error);

	if (ret == 0)
		ret = parse_pattern(pattern, rule, error);
	if (ret == 0)
		ret = parse_actions(dev, actions, rule, error);
	return ret;
}

/* Under the lock: is there room for the rule, and none like it? */
static int
check_table(const struct emu_steer *s, const struct rte_flow *rule, struct rte_flow_error *error)
{
	unsigned int i;

	for (i = 0; i < s->nb_rules; i++) {
		if (s->rules[i]->mac == rule->mac && s->rules[i]->vid == rule->vid)
			return rte_flow_error_set(error, EEXIST, RTE_FLOW_ERROR_TYPE_UNSPECIFIED,
				NULL, "there is a rule for this address and VLAN");
	}
	if (s->nb_rules == EMU_MAX_RULES)
		return rte_flow_error_set(error, ENOSPC, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL,
			"the rule table is full");
	return 0;
}

static int
flow_validate(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct emu *emu = priv(dev);
	struct rte_flow rule;
	int ret;

	ret = parse(dev, attr, pattern, actions, &rule, error);
	if (ret != 0)
		return ret;
	emu_lock(emu);
	ret = check_table(&emu->steer, &rule, error);
	emu_unlock(emu);
	return ret;
}

static struct rte_flow *
flow_create(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct emu *emu = priv(dev);
	struct emu_steer *s = &emu->steer;
	struct rte_flow *rule = calloc(1, sizeof(*rule));
	int ret;

	if (rule == NULL) {
		rte_flow_error_set(error, ENOMEM, RTE_FLOW_ERROR_TYPE_HANDLE, NULL, "no memory");
		return NULL;
	}
	ret = parse(dev, attr, pattern, actions, rule, error);
	if (ret == 0) {
		emu_lock(emu);
		ret = check_table(s, rule, error);
		if (ret == 0) {
			s->rules[s->nb_rules++] = rule;
			s->epoch++;
		}
		emu_unlock(emu);
	}
	if (ret != 0) {
		free(rule);
		return NULL;
	}
	return rule;
}

static int
flow_destroy(struct rte_eth_dev *dev, struct rte_flow *flow, struct rte_flow_error *error)
{
	struct emu *emu = priv(dev);
	struct emu_steer *s = &emu->steer;
	unsigned int i;

	emu_lock(emu);
	for (i = 0; i < s->nb_rules && s->rules[i] != flow; i++)
		;
	if (i == s->nb_rules) {
		emu_unlock(emu);
		return rte_flow_error_set(error, ENOENT, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
			"no such rule");
	}
	s->rules[i] = s->rules[--s->nb_rules];
	s->epoch++;
	emu_unlock(emu);
	free(flow);
	return 0;
}

void
emu_flow_free_all(struct emu *emu)
{
	struct emu_steer *s = &emu->steer;

	emu_lock(emu);
	while (s->nb_rules > 0)
		free(s->rules[--s->nb_rules]);
	s->epoch++;
	emu_unlock(emu);
}

static int
flow_flush(struct rte_eth_dev *dev, struct rte_flow_error *error)
{
	RTE_SET_USED(error);
	emu_flow_free_all(priv(dev));
	return 0;
}

static int
flow_isolate(struct rte_eth_dev *dev, int set, struct rte_flow_error *error)
{
	struct emu *emu = priv(dev);

	RTE_SET_USED(error);
	emu_lock(emu);
	emu->steer.isolated = set != 0;
	emu->steer.epoch++;
	emu_unlock(emu);
	return 0;
}

/* What an RSS rule does. It points into the rule, and is valid as long as that. */
static int
flow_query(struct rte_eth_dev *dev, struct rte_flow *flow, const struct rte_flow_action *action,
	void *data, struct rte_flow_error *error)
{
	struct rte_flow_action_rss *rss = data;

	RTE_SET_USED(dev);
	if (action->type != RTE_FLOW_ACTION_TYPE_RSS || !flow->rss)
		return action_error(error, ENOTSUP, action, "only RSS of an RSS rule can be asked");
	*rss = (struct rte_flow_action_rss){
		.func = RTE_ETH_HASH_FUNCTION_TOEPLITZ,
		.types = flow->hash.types,
		.key_len = EMU_KEY_SIZE,
		.key = flow->hash.key,
		.queue_num = flow->nb_queues,
		.queue = flow->queues,
	};
	return 0;
}

const struct rte_flow_ops emu_flow_ops = {
	.validate = flow_validate,
	.create = flow_create,
	.destroy = flow_destroy,
	.flush = flow_flush,
	.isolate = flow_isolate,
	.query = flow_query,
};
