/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>

#include "build.h"
#include "guest.h"
#include "memory_files.h"
#include "message.h"
#include "nf.h"
#include "port.h"

#define LINK_TIMEOUT_MS 5000

static int
open_end(struct datapath *dp, const char *template, const struct words *w, struct rte_mempool *pool,
	uint16_t *port)
{
	const int ret = build_port(dp, template, w, port);

	return ret < 0 ? ret : build_start(dp, *port, 1, VIRTQUEUE_SIZE, VIRTQUEUE_SIZE, pool);
}

static int
open_guest(struct datapath *dp, const struct words *w, struct nf *nf)
{
	char name[RTE_MEMZONE_NAMESIZE];

	snprintf(name, sizeof(name), "pvp_nf%s", w->nf);
	nf->guest = guest_open(w->socket, name);
	if (nf->guest != NULL)
		return 0;
	pvp_error("datapath %s: no guest on %s: %s; give EAL more hugepages (-m 1024), or see the "
		  "log above",
		dp->spec->name, w->socket, rte_strerror(rte_errno));
	return -rte_errno;
}

static int
open_nf_end(struct datapath *dp, const struct words *w, struct nf *nf)
{
	if (dp->setup.guests) {
		nf->burst = nf_guest_burst;
		return open_guest(dp, w, nf);
	}
	nf->burst = nf_port_burst;
	return open_end(dp, dp->spec->nf, w, dp->nf_pool, &nf->port);
}

static int
open_switch_end(struct datapath *dp, const struct words *w, const struct nf *nf)
{
	struct switch_port port = {.queues = 1, .fill = BURST, .kind = PORT_VHOST};
	const int ret = open_end(dp, dp->spec->vhost, w, dp->switch_pool, &port.id);

	if (ret == 0)
		build_connect(dp, &port, &nf->mac);
	return ret;
}

static int
wait_connected(const struct datapath *dp, unsigned int number, const char *socket)
{
	const struct nf *nf = &dp->nf[number];
	/* Behind the uplink, in the order of the NFs. */
	int ret = port_wait_link(dp->port[1 + number].id, LINK_TIMEOUT_MS);

	if (ret == 0 && nf->guest == NULL)
		ret = port_wait_link(nf->port, LINK_TIMEOUT_MS);
	if (ret < 0)
		pvp_error("datapath %s: no NF on %s after %u ms; does EAL have "
			  "--single-file-segments?",
			dp->spec->name, socket, LINK_TIMEOUT_MS);
	return ret;
}

static int
open_listener(struct datapath *dp, unsigned int number, const struct words *w)
{
	struct nf *nf = &dp->nf[number];

	nf->mac = datapath_nf_mac(dp, number);
	dp->nf_count++;
	return dp->spec->nf_listens ? open_nf_end(dp, w, nf) : open_switch_end(dp, w, nf);
}

static int
open_connector(struct datapath *dp, unsigned int number, const struct words *w)
{
	struct nf *nf = &dp->nf[number];
	struct memory_files files;
	int ret;

	memory_files_keep(&files);
	ret = dp->spec->nf_listens ? open_switch_end(dp, w, nf) : open_nf_end(dp, w, nf);
	if (ret == 0)
		ret = wait_connected(dp, number, w->socket);
	memory_files_restore(&files);
	return ret;
}

static int
for_each_nf(struct datapath *dp, const char *dir,
	int (*open)(struct datapath *dp, unsigned int number, const struct words *w))
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < setup_nfs(&dp->setup); i++) {
		struct words w;

		ret = build_words(&w, dp, i, dir);
		if (ret == 0)
			ret = open(dp, i, &w);
	}
	return ret;
}

/* librte_vhost looks for new listeners once a second: it finds all of them at once. */
int
build_nfs(struct datapath *dp, const char *dir)
{
	const int ret = for_each_nf(dp, dir, open_listener);

	return ret < 0 ? ret : for_each_nf(dp, dir, open_connector);
}
