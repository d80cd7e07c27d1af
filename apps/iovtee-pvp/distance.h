/* SPDX-License-Identifier: BSD-3-Clause
 * How far the two cores are from each other.
 */
#ifndef PVP_DISTANCE_H
#define PVP_DISTANCE_H

/*
 * TSC cycles for one cache line to go from this lcore to the other one and back: the mean of many.
 * A hypervisor may move its virtual CPUs at any time, and everything that the NIC and the guest hand to the
 * switch, or the switch to them, goes this way. Negative: the lcore is busy.
 */
double distance_measure(unsigned int lcore);

#endif
