/* SPDX-License-Identifier: BSD-3-Clause */
/* Telemetry: /iovtee/list, /iovtee/vhost,<port>, /iovtee/queue,<port>,<queue>, /iovtee/uplink,<port>. */
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "control.h"
#include "ports.h"
#include "vhost.h"

/* With the control lock held. */
static struct rte_eth_dev *
port_param(const char *params, const struct eth_dev_ops *ops)
{
	unsigned long port;
	char *end;

	if (params == NULL || *params == '\0')
		return NULL;
	port = strtoul(params, &end, 10);
	return *end == '\0' && port < RTE_MAX_ETHPORTS ? ports_find(port, ops) : NULL;
}

static int
list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	control_lock();
	for (uint16_t port = 0; port < RTE_MAX_ETHPORTS; port++) {
		const struct rte_eth_dev *dev = ports_find(port, &vhost_ops);

		if (dev == NULL)
			dev = ports_find(port, &uplink_ops);
		if (dev != NULL)
			rte_tel_data_add_dict_int(d, dev->data->name, port);
	}
	control_unlock();
	return 0;
}

static void
describe_txq(struct rte_tel_data *d, const struct vhost_txq *q)
{
	enum map_reason reason = mapping_reason(q);

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "queue", q->queue);
	rte_tel_data_add_dict_int(d, "mapped", reason == MAP_ON);
	rte_tel_data_add_dict_string(d, "zero_copy_receive", mapping_reason_text(reason));
	rte_tel_data_add_dict_uint(d, "zero_copy_packets", iovt_look(&q->stats.zero_copy_packets));
	if (q->rxq == NULL)
		return;
	rte_tel_data_add_dict_int(d, "ring_size", q->rxq->vr.size);
	rte_tel_data_add_dict_int(d, "lend_max", q->rxq->lend_max);
	rte_tel_data_add_dict_int(d, "lent", iovt_rxq_look(q->rxq).lent);
}

static void
describe_replies(struct rte_tel_data *d, const struct reply_time *t)
{
	struct reply_time_summary s = reply_time_summary(t);

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_uint(d, "count", s.count);
	rte_tel_data_add_dict_int(d, "last_ns", s.last_ns);
	rte_tel_data_add_dict_int(d, "p50_ns", s.p50_ns);
	rte_tel_data_add_dict_int(d, "p99_ns", s.p99_ns);
	rte_tel_data_add_dict_int(d, "max_ns", s.max_ns);
}

static void
describe_vhost(struct rte_tel_data *d, const struct vhost_port *p)
{
	struct rte_tel_data *queues, *replies;

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "iface", p->conf.iface);
	rte_tel_data_add_dict_string(d, "uplink", p->conf.uplink);
	rte_tel_data_add_dict_int(d, "connected", p->vid >= 0);
	rte_tel_data_add_dict_int(d, "running", p->running);
	replies = rte_tel_data_alloc();
	if (replies != NULL) {
		describe_replies(replies, &p->reply_time);
		rte_tel_data_add_dict_container(d, "revocation", replies, 0);
	}
	for (uint16_t i = 0; i < p->conf.queues; i++) {
		char name[16];

		queues = rte_tel_data_alloc();
		if (queues == NULL)
			break;
		describe_txq(queues, &p->txq[i]);
		snprintf(name, sizeof(name), "q%u", i);
		rte_tel_data_add_dict_container(d, name, queues, 0);
	}
}

static int
vhost(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct rte_eth_dev *dev;

	control_lock();
	dev = port_param(params, &vhost_ops);
	if (dev != NULL)
		describe_vhost(d, vhost_of(dev));
	control_unlock();
	return dev != NULL ? 0 : -EINVAL;
}

/* Extended statistics of one queue pair: a dictionary cannot hold those of a port with many. */
static void
add_queue_counters(struct rte_eth_dev *dev, unsigned long queue, struct rte_tel_data *d)
{
	int n = vhost_xstats_get_names(dev, NULL, 0);
	struct rte_eth_xstat_name *names = calloc(n, sizeof(*names));
	struct rte_eth_xstat *values = calloc(n, sizeof(*values));
	char own[16];

	snprintf(own, sizeof(own), "x_q%lu_", queue);
	if (names != NULL && values != NULL) {
		vhost_xstats_get_names(dev, names, n);
		n = vhost_xstats_get(dev, values, n);
		for (int i = 0; i < n; i++)
			if (strncmp(names[i].name + 1, own, strlen(own)) == 0)
				rte_tel_data_add_dict_uint(d, names[i].name, values[i].value);
	}
	free(names);
	free(values);
}

static int
queue(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const char *comma = params != NULL ? strchr(params, ',') : NULL;
	struct rte_eth_dev *dev;
	unsigned long number;
	char port[16], *end;
	int ret = -EINVAL;

	if (comma == NULL || comma[1] == '\0' || comma - params >= (int)sizeof(port))
		return -EINVAL;
	snprintf(port, sizeof(port), "%.*s", (int)(comma - params), params);
	number = strtoul(comma + 1, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	control_lock();
	dev = port_param(port, &vhost_ops);
	if (dev != NULL && number < vhost_of(dev)->conf.queues) {
		rte_tel_data_start_dict(d);
		add_queue_counters(dev, number, d);
		ret = 0;
	}
	control_unlock();
	return ret;
}

static void
describe_uplink(struct rte_tel_data *d, const struct rte_eth_dev *dev)
{
	const struct uplink *up = uplink_of(dev);

	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "phys_port", up->phys_port);
	for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
		const struct uplink_rxq *q = up->rxq[i];
		struct rte_tel_data *c;
		char name[16];

		if (q == NULL || q->tee_pool == NULL)
			continue;
		c = rte_tel_data_alloc();
		if (c == NULL)
			break;
		rte_tel_data_start_dict(c);
		rte_tel_data_add_dict_int(c, "ring", q->desc);
		rte_tel_data_add_dict_int(c, "tee_size", q->tee_pool->size);
		rte_tel_data_add_dict_int(c, "tee_free", rte_mempool_avail_count(q->tee_pool));
		rte_tel_data_add_dict_uint(c, "bound_packets", iovt_look(&q->bound_packets));
		rte_tel_data_add_dict_uint(c, "host_packets", iovt_look(&q->host_packets));
		snprintf(name, sizeof(name), "rxq%u", i);
		rte_tel_data_add_dict_container(d, name, c, 0);
	}
}

static int
uplink(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct rte_eth_dev *dev;

	control_lock();
	dev = port_param(params, &uplink_ops);
	if (dev != NULL)
		describe_uplink(d, dev);
	control_unlock();
	return dev != NULL ? 0 : -EINVAL;
}

RTE_INIT(iovtee_telemetry)
{
	rte_telemetry_register_cmd("/iovtee/list", list, "IOVTee ports by name");
	rte_telemetry_register_cmd("/iovtee/vhost", vhost,
		"State and zero-copy mapping of a guest's port. Parameter: port id");
	rte_telemetry_register_cmd("/iovtee/queue", queue,
		"Counters of one queue pair of a guest's port. Parameters: port id, queue");
	rte_telemetry_register_cmd("/iovtee/uplink", uplink,
		"Mapped queues and tee pools of an uplink. Parameter: port id");
}
