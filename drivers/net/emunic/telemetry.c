/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_telemetry.h>

#include "emunic.h"

/* A command on one port. */
struct request {
	uint16_t port_id;
	int (*serve)(struct emu *emu, struct rte_tel_data *d);
	struct rte_tel_data *d;
	int result;
};

static int
add_port(struct emu *emu, void *d)
{
	return rte_tel_data_add_array_int(d, emu->port_id);
}

static int
handle_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	RTE_SET_USED(cmd);
	RTE_SET_USED(params);
	rte_tel_data_start_array(d, RTE_TEL_INT_VAL);
	emu_foreach(add_port, d);
	return 0;
}

static int
visit(struct emu *emu, void *arg)
{
	struct request *r = arg;

	if (emu->port_id != r->port_id)
		return 0;
	r->result = r->serve(emu, r->d);
	return 1;
}

static int
serve_port(const char *params, int (*serve)(struct emu *, struct rte_tel_data *),
	struct rte_tel_data *d)
{
	struct request r = {.serve = serve, .d = d};
	unsigned long id;
	char *end;

	if (params == NULL || !isdigit((unsigned char)params[0]))
		return -EINVAL;
	id = strtoul(params, &end, 10);
	if (*end != '\0' || id >= RTE_MAX_ETHPORTS)
		return -EINVAL;
	r.port_id = id;
	return emu_foreach(visit, &r) == 1 ? r.result : -ENODEV;
}

static void
add_latency(const struct emu *emu, struct rte_tel_data *d)
{
	static const struct {
		const char *name;
		double percentile;
	} marks[] = {{"latency_p50_ns", 50}, {"latency_p99_ns", 99}, {"latency_max_ns", 100}};
	uint64_t tsc;
	unsigned int i;

	for (i = 0; i < RTE_DIM(marks); i++) {
		if (emu_verify_latency(emu->verify, marks[i].percentile, &tsc) == 0)
			rte_tel_data_add_dict_uint(d, marks[i].name,
				(double)tsc * 1e9 / rte_get_tsc_hz());
	}
}

static int
stats(struct emu *emu, struct rte_tel_data *d)
{
	unsigned int i;

	rte_tel_data_start_dict(d);
	emu_lock(emu);
	for (i = 0; i < EMU_COUNTERS; i++)
		rte_tel_data_add_dict_uint(d, emu_counter_name(i), emu->counters[i] - emu->base[i]);
	add_latency(emu, d);
	emu_unlock(emu);
	return 0;
}

static int
source(struct emu *emu, struct rte_tel_data *d, bool on)
{
	int ret;

	emu_lock(emu);
	ret = emu_source_switch(emu, on);
	emu_unlock(emu);
	if (ret != 0)
		return ret;
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "source", on);
	return 0;
}

static int
start(struct emu *emu, struct rte_tel_data *d)
{
	return source(emu, d, true);
}

static int
stop(struct emu *emu, struct rte_tel_data *d)
{
	return source(emu, d, false);
}

static int
done(struct emu *emu, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	emu_lock(emu);
	rte_tel_data_add_dict_int(d, "done", emu_source_done(emu));
	emu_unlock(emu);
	return 0;
}

/* As with a device that has failed: from now on its Rx queues cannot be stopped, ... */
static int
jam_queues(struct emu *emu, struct rte_tel_data *d)
{
	__atomic_store_n(&emu->queues_jammed, true, __ATOMIC_RELAXED);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "jammed", true);
	return 0;
}

/* ... nor can the port. */
static int
jam(struct emu *emu, struct rte_tel_data *d)
{
	__atomic_store_n(&emu->jammed, true, __ATOMIC_RELAXED);
	return jam_queues(emu, d);
}

static int
stall(struct emu *emu, struct rte_tel_data *d, bool on)
{
	emu_lock(emu);
	emu->tx_stalled = on;
	emu_unlock(emu);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "stalled", on);
	return 0;
}

static int
tx_stall(struct emu *emu, struct rte_tel_data *d)
{
	return stall(emu, d, true);
}

static int
tx_resume(struct emu *emu, struct rte_tel_data *d)
{
	return stall(emu, d, false);
}

#define HANDLER(name)                                                                              \
	static int handle_##name(const char *cmd, const char *params, struct rte_tel_data *d)      \
	{                                                                                          \
		RTE_SET_USED(cmd);                                                                 \
		return serve_port(params, name, d);                                                \
	}

HANDLER(stats)
HANDLER(start)
HANDLER(stop)
HANDLER(done)
HANDLER(jam)
HANDLER(jam_queues)
HANDLER(tx_stall)
HANDLER(tx_resume)

RTE_INIT(emu_telemetry_init)
{
	rte_telemetry_register_cmd("/emunic/list", handle_list,
		"Port ids of the emulated NICs. No parameters.");
	rte_telemetry_register_cmd("/emunic/stats", handle_stats,
		"Counters of the device and latencies. Parameters: port id");
	rte_telemetry_register_cmd("/emunic/start", handle_start,
		"Switch the source on. Parameters: port id");
	rte_telemetry_register_cmd("/emunic/stop", handle_stop,
		"Switch the source off. Parameters: port id");
	rte_telemetry_register_cmd("/emunic/tx_stall", handle_tx_stall,
		"Send nothing, and give no transmit descriptor back. Parameters: port id");
	rte_telemetry_register_cmd("/emunic/tx_resume", handle_tx_resume,
		"Send again. Parameters: port id");
	rte_telemetry_register_cmd("/emunic/done", handle_done,
		"Is the source exhausted? Parameters: port id");
	rte_telemetry_register_cmd("/emunic/jam", handle_jam,
		"Rx queues and port cannot be stopped any more. Parameters: port id");
	rte_telemetry_register_cmd("/emunic/jam_queues", handle_jam_queues,
		"Rx queues cannot be stopped any more, the port can. Parameters: port id");
}
