/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One lock for the whole control path. Ethdev operations come from the application, vhost-user messages
 * from librte_vhost's thread, late work from EAL's alarm thread, and each may reach from a guest's port to
 * its uplink or back. Recursive, because passing an operation on to the wrapped port may come back.
 *
 * Never held while calling rte_vhost_driver_unregister (it waits for the vhost thread), application
 * callbacks (they may wait for a thread that waits here), or what takes ethdev's lock: to allocate, release,
 * own or name a port. Since 24.11 telemetry holds that one while it asks a port, which waits here.
 * The data path never takes it.
 */
#ifndef IOVTEE_CONTROL_H
#define IOVTEE_CONTROL_H

/**
 * Before the first port of this process, and again for each.
 * @return 0, or negative errno (logged).
 */
int control_init(void);

void control_lock(void);
void control_unlock(void);

#endif
