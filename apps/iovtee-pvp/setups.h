/* SPDX-License-Identifier: BSD-3-Clause
 * Which datapaths are compared, each with how many NFs.
 */
#ifndef PVP_SETUPS_H
#define PVP_SETUPS_H

#include "lists.h"
#include "options.h"

#define CHAIN_MAX 4

/*
 * Fill o->setups: every datapath, with every length of chain and every number of ports. guests: NFs are guests of
 * the benchmark's own, where that can be.
 */
int setups_make(struct options *o, const char *datapaths, const char *chain, const char *ports,
	bool guests);

#endif
