/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_log.h>

#include <pthread.h>

#include "control.h"
#include "log.h"

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

RTE_LOG_REGISTER(iovtee_logtype, pmd.net.iovtee, INFO);

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
