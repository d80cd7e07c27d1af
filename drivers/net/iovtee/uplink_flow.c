/* SPDX-License-Identifier: BSD-3-Clause */
/* rte_flow on an uplink: the application's rules go to the physical port, our own stay there. */
#include <rte_flow.h>
#include <rte_flow_driver.h>

#include "control.h"
#include "steer.h"
#include "uplink.h"

static uint16_t
phys(const struct rte_eth_dev *dev)
{
	return uplink_of(dev)->phys_port;
}

static int
validate(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	return rte_flow_validate(phys(dev), attr, pattern, actions, error);
}

static struct rte_flow *
create(struct rte_eth_dev *dev, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	return rte_flow_create(phys(dev), attr, pattern, actions, error);
}

static int
destroy(struct rte_eth_dev *dev, struct rte_flow *flow, struct rte_flow_error *error)
{
	return rte_flow_destroy(phys(dev), flow, error);
}

static int
query(struct rte_eth_dev *dev, struct rte_flow *flow, const struct rte_flow_action *action,
	void *data, struct rte_flow_error *error)
{
	return rte_flow_query(phys(dev), flow, action, data, error);
}

/* Flushes the application's rules, not those that steer guests. */
static int
flush(struct rte_eth_dev *dev, struct rte_flow_error *error)
{
	int ret;

	control_lock();
	steer_park(uplink_of(dev));
	ret = rte_flow_flush(phys(dev), error);
	steer_unpark(uplink_of(dev));
	control_unlock();
	return ret;
}

static int
isolate(struct rte_eth_dev *dev, int on, struct rte_flow_error *error)
{
	int ret;

	control_lock();
	steer_park(uplink_of(dev));
	ret = rte_flow_isolate(phys(dev), on, error);
	steer_unpark(uplink_of(dev));
	control_unlock();
	return ret;
}

static const struct rte_flow_ops flow_ops = {
	.validate = validate,
	.create = create,
	.destroy = destroy,
	.flush = flush,
	.query = query,
	.isolate = isolate,
};

int
uplink_flow_ops_get(struct rte_eth_dev *dev, const struct rte_flow_ops **ops)
{
	*ops = &flow_ops;
	return 0;
}
