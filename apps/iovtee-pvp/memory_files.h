/* SPDX-License-Identifier: BSD-3-Clause
 * EAL's files of hugepage memory, which a guest in this process shares with its switch. A zero-copy port of net_memif
 * closes them when it connects, and no other port could be created after it. Main thread.
 */
#ifndef PVP_MEMORY_FILES_H
#define PVP_MEMORY_FILES_H

#include <rte_config.h>

struct memory_files {
	int fd[RTE_MAX_MEMSEG_LISTS];
	int copy[RTE_MAX_MEMSEG_LISTS];
	unsigned int count;
};

/* Keep them open, whoever closes them. */
void memory_files_keep(struct memory_files *m);

/* Open again those that have been closed, under their old numbers. */
void memory_files_restore(struct memory_files *m);

#endif
