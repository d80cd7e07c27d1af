/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_log.h>

#include <pthread.h>
#include <string.h>

#include "control.h"
#include "gate.h"
#include "log.h"

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

RTE_LOG_REGISTER(iovtee_logtype, pmd.net.iovtee, INFO);

int
control_init(void)
{
	int ret = gate_init();

	if (ret < 0)
		IOVTEE_LOG(ERR,
			"membarrier(2) is refused: %s; the plugin needs Linux 4.14 or later, and a "
			"seccomp profile that allows the call",
			strerror(-ret));
	return ret;
}

void
control_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
control_unlock(void)
{
	pthread_mutex_unlock(&lock);
}
