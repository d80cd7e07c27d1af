/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Revocation: taking a guest's receive buffers back from NIC and switch, in every order of events.
 *
 * Beside each step stands the C function that it models, written name(); `run` checks that these
 * exist. What is left out, and why that is sound: docs/revocation.md. Macros choose the configuration:
 *
 *   NBUF, LEND_MAX   buffers and ring entries of the guest; how many of them may be lent
 *   PORT_RESTART     the NIC has no Rx queue stop: the port is stopped and started
 *   TRUST            trust=1: a packet in guest memory may leave through the NIC
 *   BASE, ENABLE, MEM, CALL, NEW_GUEST      the messages that come, any number of them
 *   TOP_UP, MISSTEERED, REAP                what EAL's alarm thread has to do
 *   UPLINK, PORT, CLOSE                     what the application stops, starts, closes
 *   LATE_IS_LOST     buffers lent at give_back are not given back (engine before the packed ring)
 *   MUT_...          one thing done wrong, which must be found
 */
#ifndef NBUF
#define NBUF 2
#endif
#ifndef LEND_MAX
#define LEND_MAX NBUF
#endif

#define NQ   2          /* engine queues (struct iovt_rxq) in memory at once: the running one, a late one */
#define NMEM 2          /* snapshots (struct iovt_guest_mem) likewise */
#define NONE 255

/* ---- the guest ---- */

#define OWN   0 /* the guest's */
#define AVAIL 1 /* made available, and not used since */
#define LOST  2 /* of these, counted as late, with LATE_IS_LOST */
byte owner[NBUF];

/*
 * The avail ring around the back end's avail index, which is thus always 0: the entries that are not taken,
 * the next one first, and those that were (rxq.taken), the newest first. behind: taken and not used yet,
 * that is, how far the used index is behind the avail index.
 */
byte ring[NBUF], pending;
byte taken[NBUF], behind;

bool busy;        /* librte's fdset: the thread is in a callback */
bool access_lock; /* of the rings, held by librte_vhost during most messages */
bool asking;      /* GET_VRING_BASE has been sent */
bool acknowledged; /* SET_VRING_ENABLE 0 was; the ring is not enabled again yet */
bool replied;     /* and was answered; the ring is not started again yet */

/* ---- the engine ---- */

/* What a lent buffer is doing (enum iovt_binding_state); LATE: lent, but given back to the guest. */
#define FREE      0
#define LENT      1
#define RECLAIMED 2
#define LATE      3

#define GONE    0 /* freed, or not made */
#define RUNNING 1
#define CLOSED  2
#define BACK    3 /* closed, and given back to the guest */
typedef rxq_t {
	byte state;
	byte lent;
	byte mem;
	bool put;
};
rxq_t rxq[NQ];

/* Lent buffer c is buffer c % NBUF of queue c / NBUF. */
#define NC (NQ * NBUF)
byte bind[NC];

#if NBUF == 2
#define ANY(s)   (at[0] == s || at[1] == s || at[2] == s || at[3] == s)
#define EACH(do) do(0) do(1) do(2) do(3)
#elif NBUF == 3
#define ANY(s)   (at[0] == s || at[1] == s || at[2] == s || at[3] == s || at[4] == s || at[5] == s)
#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5)
#endif

/* Where the mbuf of a lent buffer is. */
#define NOWHERE 0
#define REFILL  1 /* with the poller, about to be posted */
#define POSTED  2
#define BUSY    3 /* the NIC has begun to write */
#define FILLED  4
#define HELD    5 /* with the switch */
#define SENT    6 /* in the NIC's Tx ring */
byte at[NC];

/* Snapshots of guest memory. */
byte refs[NMEM];
bool mapped[NMEM], dma[NMEM], dead[NMEM];

/* ---- the plugin's state ---- */

byte txq_rxq = NONE; /* vhost_txq.rxq */
byte tee_rxq = NONE; /* tee_pool.rxq */
byte guest = NONE;   /* vhost_port.guest */
bool running, paused, vring_on = true, started = true, closing;
bool up_started = true, up_gone, map_on, missteered;
bool nic_on = true;
byte writing = NONE; /* the NIC's write that is under way */

/* rte_eal_alarm_set(). What no configuration waits for is not armed. */
bool reap_armed, top_up_armed, missteered_armed;
#ifdef REAP
#define ARM_REAP reap_armed = true
#else
#define ARM_REAP skip
#endif
#ifdef TOP_UP
#define ARM_TOP_UP top_up_armed = true
#else
#define ARM_TOP_UP skip
#endif
#ifdef MISSTEERED
#define ARM_MISSTEERED missteered_armed = true
#else
#define ARM_MISSTEERED skip
#endif

/* ---- gates: gate.h ---- */

#define G_RX 0 /* uplink_rxq.gate */
#define G_TX 1 /* uplink_txq.gate */
#define G_TO_GUEST 2 /* vhost_sender.gate */
bool inside[3], closed[3];

/*
 * gate_try_enter() of a poller, gate_enter() of a sender. Who finds the gate closed looks again when it is
 * open. Interleaving is sequentially consistent, which is what membarrier(2) is for. To be followed by
 * the first thing that is done inside.
 */
inline enter(g)
{
	do
#ifdef MUT_NO_MEMBARRIER
	:: !closed[g] -> skip; atomic { inside[g] = true; break }
#else
	:: inside[g] = true;
	   if
	   :: atomic { !closed[g] -> break }
	   :: atomic { closed[g] -> inside[g] = false }; !closed[g]
	   fi
#endif
	od
}

/* gate_leave() */
#define leave(g) inside[g] = false

/* gates_close() */
inline close_gate(g)
{
	closed[g] = true;
	!inside[g]
}

/* gates_open() */
#define open_gate(g) closed[g] = false

/* vhost_close_gates(), vhost_open_gates() */
inline close_senders()
{
#ifdef MUT_NO_SENDER_GATE
	skip
#else
	close_gate(G_TO_GUEST)
#endif
}
#define open_senders() open_gate(G_TO_GUEST)

/* ---- the engine: each inside d_step, as it is under the queue's lock, which is never held while waiting ---- */

hidden byte k, id, qq, mm, n; /* for use within one d_step */

/* iovt_split_put() and iovt_split_publish(): claim 3, nothing is completed twice */
inline put_used(q, b)
{
	assert(mapped[rxq[q].mem]);
	assert(owner[b] == AVAIL);
	owner[b] = OWN;
	behind--
}

/* iovt_split_take(): a guest that follows the rules never offers a buffer in use */
inline take(q)
{
	id = ring[0];
	assert(mapped[rxq[q].mem]);
	assert(bind[q * NBUF + id] == FREE);
	assert(owner[id] == AVAIL);
	forwards();
	behind++
}

/* The avail index goes on by one, and goes back by one: iovt_split_untake() */
inline forwards()
{
	mm = NBUF - 1;
	do
	:: mm > 0 -> taken[mm] = taken[mm - 1]; mm--
	:: else -> break
	od;
	taken[0] = ring[0];
	do
	:: mm < NBUF - 1 -> ring[mm] = ring[mm + 1]; mm++
	:: else -> break
	od;
	ring[mm] = 0;
	pending--
}

inline back()
{
	mm = NBUF - 1;
	do
	:: mm > 0 -> ring[mm] = ring[mm - 1]; mm--
	:: else -> break
	od;
	ring[0] = taken[0];
	do
	:: mm < NBUF - 1 -> taken[mm] = taken[mm + 1]; mm++
	:: else -> break
	od;
	taken[mm] = 0;
	pending++;
	behind--
}

/* the id of a reclaimed buffer, or NBUF */
inline find_reclaimed(q)
{
	id = 0;
	do
	:: id < NBUF && bind[q * NBUF + id] != RECLAIMED -> id++
	:: else -> break
	od
}

/* iovt_harvest(): lend one buffer, iovt_lend_again() or iovt_lend_new(); c is it, or NONE */
inline harvest(q, c)
{
	c = NONE;
	if
	:: q != NONE ->
		assert(rxq[q].state != GONE);
		if
		:: rxq[q].state == RUNNING && rxq[q].lent < LEND_MAX ->
			find_reclaimed(q);
			if
			:: id < NBUF -> c = q * NBUF + id
			:: id == NBUF && pending > 0 -> take(q); c = q * NBUF + id
			:: else
			fi;
			if
			:: c != NONE -> bind[c] = LENT; rxq[q].lent++; at[c] = REFILL
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

/* iovt_guest_mem_unref(); guest_release() at the last one */
inline unref(m)
{
	assert(refs[m] > 0);
	refs[m]--;
	if
	:: refs[m] == 0 -> dead[m] = true; ARM_REAP
	:: else
	fi
}

/* rxq_free() */
inline free_queue(q)
{
	mm = rxq[q].mem;
	unref(mm);
	rxq[q].state = GONE;
	rxq[q].put = false;
	rxq[q].mem = 0;
	k = 0;
	do
	:: k < NBUF -> bind[q * NBUF + k] = FREE; k++
	:: else -> break
	od
}

/* tee_unbind(), iovt_rxq_reclaim(): an mbuf was freed, by whoever had it */
inline reclaim(c)
{
	qq = c / NBUF;
	assert(rxq[qq].state != GONE);
	if
	:: bind[c] == LENT -> bind[c] = RECLAIMED
	:: else -> assert(bind[c] == LATE); bind[c] = FREE
	fi;
	at[c] = NOWHERE;
	rxq[qq].lent--;
	if
	:: rxq[qq].put && rxq[qq].lent == 0 -> free_queue(qq)
	:: else
	fi
}

/* iovt_run_complete(), iovt_rx_end(), tee_pool_put_delivered(): packet c is delivered in place */
inline complete(c)
{
	qq = c / NBUF;
	assert(bind[c] == LENT);
	bind[c] = FREE;
	at[c] = NOWHERE;
	rxq[qq].lent--;
	put_used(qq, c % NBUF)
#ifdef MUT_PUBLISH_TWICE
	;
	put_used(qq, c % NBUF)
#endif
}

/* iovt_rx_copy(), iovt_rx_copy_pieces(): a buffer of the ring, or a reclaimed one; else the packet is dropped */
inline copy(q)
{
	if
	:: pending > 0 -> take(q); put_used(q, id)
	:: else ->
		find_reclaimed(q);
		if
		:: id < NBUF -> bind[q * NBUF + id] = FREE; put_used(q, id)
		:: else
		fi
	fi
}

/* iovt_rxq_give_back(): rewind_newest(), flush_rest() */
inline give_back(q)
{
	assert(rxq[q].state == CLOSED);
	n = NBUF;
	do
	:: n > 0 ->
		n--;
		id = taken[0];
		if
		:: bind[q * NBUF + id] == RECLAIMED -> bind[q * NBUF + id] = FREE; back()
		:: else -> n = 0
		fi
	:: else -> break
	od;
	id = 0;
	do
	:: id < NBUF ->
		if
		:: bind[q * NBUF + id] == RECLAIMED ->
			bind[q * NBUF + id] = FREE;
			put_used(q, id)
		:: bind[q * NBUF + id] == LENT ->
			/* Late: not with the NIC, which was flushed. */
			assert(at[q * NBUF + id] == HELD || at[q * NBUF + id] == SENT);
#ifdef LATE_IS_LOST
			owner[id] = LOST
#else
			bind[q * NBUF + id] = LATE;
			put_used(q, id)
#endif
		:: else
		fi;
		id++
	:: else -> break
	od;
	rxq[q].state = BACK;
	k = 0; /* of no further meaning */
	do
	:: k < NBUF -> taken[k] = (k < behind -> taken[k] : 0); k++
	:: else -> break
	od
}

/* ---- lcores of the switch ---- */

/*
 * Lcore 0 polls the uplink. A packet that it received is HELD by the switch: any lcore may have it, for
 * any time, read and rewrite it.
 */
#define RECEIVE(c) ::d_step { at[c] == FILLED -> at[c] = HELD; leave(G_RX) } /* rx_mapped() */
/* debind(), mapping_report_missteered(): the packet is not for this guest */
#define DEBIND(c)                                                                                  \
	::d_step { at[c] == FILLED -> reclaim(c); ARM_MISSTEERED; leave(G_RX) }

active proctype poller()
{
	byte c = NONE;

end:	do
	:: /* uplink_rx_burst(), poll_nic(): the NIC driver refills its ring, or finds a packet */
#ifndef MUT_NO_GATE
		enter(G_RX);
#endif
		skip;
		if
		:: d_step { harvest(tee_rxq, c) }; /* refill(), bind_mbufs() */
		   if
		   :: d_step { c != NONE -> at[c] = POSTED; c = NONE; leave(G_RX) }
		   :: d_step { c == NONE -> leave(G_RX) }
		   fi
		EACH(RECEIVE)
#ifndef TRUST
		EACH(DEBIND)
#endif
		fi
	od
}

/*
 * vhost_tx_burst() of packet c to queue r. What is not delivered is still HELD: the application drops it, or
 * tries again.
 */
#ifdef MUT_BLOCKING_CALL
#define DELIVERED skip
#else
#define DELIVERED r = NONE; leave(G_TO_GUEST)
#endif
/* deliver_in_place(), tee_pool_put_delivered() */
#define IN_PLACE(c)                                                                                \
	::d_step { r == c / NBUF && at[c] == HELD ->                                               \
		assert(rxq[r].state != GONE);                                                      \
		if ::rxq[r].state == RUNNING -> complete(c) ::else fi;                             \
		DELIVERED }
/* deliver_copy(), then freed: somebody holds a clone, shared_or_split(), or it lies in another queue's buffer */
#define BY_COPY(c)                                                                                 \
	::d_step { r != NONE && at[c] == HELD ->                                                   \
		assert(rxq[r].state != GONE);                                                      \
		assert(mapped[rxq[c / NBUF].mem]);                                                 \
		if ::rxq[r].state == RUNNING -> copy(r); reclaim(c) ::else fi;                     \
		DELIVERED }
/* Dropped by the application */
#define DROP(c) ::d_step { at[c] == HELD -> assert(mapped[rxq[c / NBUF].mem]); reclaim(c) }
/* rte_eth_tx_burst() in uplink_tx_burst(), and the driver frees what was sent */
#define SEND(c)      ::d_step { at[c] == HELD -> at[c] = SENT; leave(G_TX) }
#define FREE_SENT(c) ::d_step { at[c] == SENT -> reclaim(c); leave(G_TX) }

/* Lcore 1 does everything else; what lcore 0 does, too, it may do at the same time. */
active proctype sender()
{
	byte r = NONE;

end:	do
	EACH(DROP)
	:: /* vhost_tx_burst() */
		enter(G_TO_GUEST);
		r = txq_rxq;
		if
		EACH(IN_PLACE)
		EACH(BY_COPY)
		:: d_step { r != NONE -> /* a packet in host memory */
			assert(rxq[r].state != GONE); /* iovt_rx_begin() */
			if
			:: rxq[r].state == RUNNING -> copy(r)
			:: else
			fi;
			DELIVERED
		   }
		:: d_step { r == NONE -> leave(G_TO_GUEST) } /* dropped_not_ready */
		fi;
#ifdef MUT_BLOCKING_CALL
		/* librte's rte_vhost_vring_call() in vhost_notify()'s place */
		if
		:: r != NONE ->
			atomic { !access_lock -> access_lock = true };
			access_lock = false;
			r = NONE;
			leave(G_TO_GUEST)
		:: else
		fi
#endif
#ifdef TRUST
	:: enter(G_TX); /* uplink_tx_burst() */
		skip;
		if
		EACH(SEND)
		EACH(FREE_SENT)
		:: d_step { leave(G_TX) }
		fi
#endif
	od
}

/* ---- the NIC ---- */

/* Claims 1, 2 and 5: no DMA after the reply, none to memory that is not mapped. */
inline check_dma(c)
{
	assert(!replied);
	assert(!acknowledged);
	assert(rxq[c / NBUF].state == RUNNING || rxq[c / NBUF].state == CLOSED);
	assert(dma[rxq[c / NBUF].mem]);
	assert(mapped[rxq[c / NBUF].mem])
}

/* A descriptor is fetched at any time, and its packet is written at any time after that. */
#define FETCH(c) ::d_step { nic_on && writing == NONE && at[c] == POSTED -> writing = c; at[c] = BUSY }
#define WRITE(c)                                                                                   \
	::d_step { writing == c -> check_dma(c); writing = NONE;                                   \
		if ::at[c] == BUSY -> at[c] = FILLED ::else fi }
/* Transmit: reading. */
#define DMA_READ(c) ::d_step { at[c] == SENT -> assert(dma[rxq[c / NBUF].mem]) }

active proctype nic()
{
end:	do
	EACH(FETCH)
	EACH(WRITE)
#ifdef TRUST
	EACH(DMA_READ)
#endif
	od
}

/* ---- control: what is done with the control lock held. Rendezvous with it is control_lock() ---- */

mtype = {
	new_device, destroy_device, destroy_connection, vring_enabled, vring_disabled, hide_callfds,
	before_mem_table, after_mem_table,
	port_start, port_stop, port_close, port_unclaim, uplink_start, uplink_stop, uplink_close,
	top_up, unmap_missteered, reap_later
};
chan todo = [0] of { mtype };
chan finished = [0] of { bool };

/* control_lock(), an operation, control_unlock() */
inline locked(operation)
{
	todo ! operation;
	finished ? _
}

/* All mbufs that the NIC holds are freed: rte_eth_dev_rx_queue_stop() or rte_eth_dev_stop() */
inline stop_nic()
{
	nic_on = false;
#ifndef MUT_STOP_NO_DRAIN
	writing == NONE;
#endif
	d_step {
		n = 0;
		do
		:: n < NC ->
			if
#ifdef MUT_STOP_KEEPS
			:: false
#else
			:: at[n] == POSTED || at[n] == BUSY || at[n] == FILLED -> reclaim(n)
#endif
#ifdef PORT_RESTART
			:: at[n] == SENT -> reclaim(n)
#endif
			:: else
			fi;
			n++
		:: else -> break
		od
	}
}

/* rte_eth_dev_rx_queue_start() or rte_eth_dev_start(): the ring is filled from the tee pool, tee_dequeue() */
inline start_nic()
{
	d_step {
		do
		:: harvest(tee_rxq, n);
			if
			:: n != NONE -> at[n] = POSTED
			:: else -> break
			fi
		od;
		n = 0;
		nic_on = true
	}
}

/* uplink_rxq_flush(), with the queue's gate closed */
inline flush()
{
#ifdef PORT_RESTART
	close_gate(G_TX); /* flush_by_port(), other_gates() */
#endif
	stop_nic();
	start_nic();
#ifdef PORT_RESTART
	open_gate(G_TX)
#endif
	skip
}

/* reap_dead(), guest_free(): DMA first, memory second */
inline reap_dead()
{
	m = 0;
	do
	:: m < NMEM && dead[m] ->
#ifdef MUT_MEM_BEFORE_DMA
		unmap(m);
		dma[m] = false;
#else
		dma[m] = false; /* region_dma_unmap() */
		unmap(m);
#endif
		m++
	:: m < NMEM && !dead[m] -> m++
	:: else -> break
	od;
	m = 0
}

/* region_unmap(), munmap */
inline unmap(g)
{
	d_step {
		assert(!dma[g]);
		mapped[g] = false;
		dead[g] = false
	}
}

/* guest_create(): another snapshot, reachable for the NIC, guest_dma_map() */
inline create_guest()
{
	reap_dead();
	d_step {
		k = 0;
		do
		:: k < NMEM && (mapped[k] || refs[k] > 0) -> k++
		:: else -> break
		od;
		if
		:: k < NMEM ->
			guest = k;
			refs[k] = 1;
			mapped[k] = true;
			dma[k] = !up_gone
		:: else /* no memory for it now */
		fi
	}
}

/* vhost_drop_guest(), guest_put() */
inline drop_guest()
{
	if
	:: guest != NONE ->
#ifdef MUT_UNMAP_AT_ONCE
		dma[guest] = false;
		mapped[guest] = false;
#endif
		d_step { unref(guest); guest = NONE };
		reap_dead()
	:: else
	fi
}

/* make_rxq(), iovt_rxq_create(): r is the new queue, or NONE */
inline make_queue()
{
	d_step {
		k = 0;
		do
		:: k < NQ && rxq[k].state != GONE -> k++
		:: else -> break
		od;
		if
		:: k < NQ ->
			r = k;
			rxq[r].state = RUNNING;
			rxq[r].mem = guest;
			refs[guest]++ /* iovt_guest_mem_ref() */
		:: else /* no memory for it now */
		fi
	}
}

/* mapping_on(): use_tee(), lend() */
inline mapping_on(q)
{
	close_senders();
	open_senders();
	map_on = true;
	close_gate(G_RX);
	tee_rxq = q;
	flush();
	open_gate(G_RX);
	ARM_TOP_UP
}

/* mapping_off() */
inline mapping_off()
{
	map_on = false;
#ifndef MUT_NO_GATE
	close_gate(G_RX);
#endif
	tee_rxq = NONE;
#ifndef MUT_NO_FLUSH
	if
	:: up_started -> flush()
	:: else
	fi;
#endif
	open_gate(G_RX)
}

/* txq_down(), its first half: the data path is shut out */
inline close_queue()
{
	close_senders();
	r = txq_rxq;
	txq_rxq = NONE;
	open_senders();
	rxq[r].state = CLOSED /* iovt_rxq_close() */
}

/*
 * txq_down(), its second half. vhost_wait_for_lent() waits for a bounded time, so that going on at any moment
 * has all that it can do.
 */
inline give_back_and_put()
{
	d_step { give_back(r) };
	d_step { /* iovt_rxq_put() */
		rxq[r].put = true;
		if
		:: rxq[r].lent == 0 -> free_queue(r)
		:: else
		fi
	};
	r = NONE
}

#define READY (running && started && !paused)
#define WANT  (READY && vring_on)

mtype op; /* under way, 0: the lock is free */

active proctype control()
{
	byte r = NONE, m = 0;
	bool off = false;

end:	do
	:: todo ? op ->
		d_step {
			if
			:: op == new_device -> running = true
			:: op == destroy_device || op == destroy_connection -> running = false
			:: op == vring_enabled -> vring_on = true
			:: op == vring_disabled -> vring_on = false
			:: op == before_mem_table -> paused = true
			:: op == after_mem_table -> paused = false
			:: op == port_start -> started = true /* set_started() */
			:: op == port_stop || op == port_close -> started = false
			:: op == unmap_missteered -> missteered = true; missteered_armed = false; off = true
			:: op == uplink_stop -> off = true /* mapping_uplink_stopping() */
			:: op == top_up -> top_up_armed = false
			:: op == reap_later -> reap_armed = false
			:: else
			fi
		};
#ifdef MUT_UNREGISTER_LOCKED
		if
		:: op == port_close -> !busy
		:: else
		fi;
#endif
#ifdef MUT_GIVE_BACK_FIRST
		if
		:: txq_rxq != NONE && !WANT -> close_queue(); give_back_and_put(); off = true
		:: else
		fi;
#endif
		/* vhost_sync(), sync_txq(): down */
		if
		:: txq_rxq != NONE && !WANT -> close_queue(); off = true
		:: else
		fi;
		if
		:: off && map_on -> mapping_off()
		:: else
		fi;
		off = false;
		if
		:: r != NONE -> give_back_and_put()
		:: else
		fi;
		/* what follows in some operations */
		if
		:: op == before_mem_table || op == destroy_connection -> drop_guest()
#ifndef MUT_CLOSE_KEEPS_GUEST
		:: op == port_unclaim -> drop_guest()
#endif
		:: op == reap_later -> reap_dead()
		:: op == uplink_stop -> /* stop() */
			d_step { up_started = false };
			stop_nic()
		:: op == uplink_start -> start_nic(); up_started = true /* start(), uplink_phys_start() */
		:: op == uplink_close -> /* mapping_uplink_gone(), guest_forget_device() */
			d_step { up_gone = true; dma[0] = false; dma[1] = false }
		:: op == top_up && map_on && txq_rxq != NONE -> /* top_up() */
			close_gate(G_RX);
			if
			:: !ANY(FILLED) -> flush() /* is_idle() */
			:: ARM_TOP_UP
			:: skip
			fi;
			open_gate(G_RX)
		:: else
		fi;
		/* vhost_sync(), sync_txq(): up */
		if
		:: READY && guest == NONE -> create_guest()
		:: else
		fi;
		if
		:: WANT && guest != NONE && txq_rxq == NONE -> make_queue()
		:: op == uplink_start && txq_rxq != NONE && !map_on -> r = txq_rxq /* mapping_uplink_started() */
		:: else
		fi;
		if
		:: r != NONE && up_started && !up_gone && !missteered -> mapping_on(r) /* mapping_check() */
		:: else
		fi;
		if
		:: r != NONE && txq_rxq == NONE -> /* txq_up() */
			close_senders();
			txq_rxq = r;
			open_senders()
		:: else
		fi;
		r = NONE;
		if
		:: op == hide_callfds -> close_senders(); open_senders() /* vhost_hide_callfds() */
		:: else
		fi;
		op = 0;
		finished ! true
	od
}

/* ---- librte_vhost's thread: one message after the other ---- */

/* librte: vhost_user_lock_all_queue_pairs, and unlock */
inline lock_access()
{
	atomic { !access_lock -> access_lock = true }
}
#define unlock_access() access_lock = false

/* librte: translate_ring_addresses believes the used ring's index, and sets both by it */
inline translate()
{
	do
	:: behind > 0 ->
		back();
		if
		:: owner[ring[0]] == LOST -> owner[ring[0]] = AVAIL
		:: else
		fi
	:: else -> break
	od
}

/* The guest starts anew: its driver was reset, or it is another process. */
inline reset_guest()
{
	d_step {
		k = 0;
		do
		:: k < NBUF -> owner[k] = OWN; ring[k] = 0; taken[k] = 0; k++
		:: else -> break
		od;
		pending = 0;
		behind = 0
	}
}

/*
 * Claim 3 at the reply: what the guest made available, and was not given back, is what lies in the avail
 * ring behind the base that it is told.
 */
inline check_base()
{
	n = 0;
	k = 0;
	do
	:: k < NBUF -> n = n + (owner[k] == AVAIL -> 1 : 0); k++
	:: else -> break
	od;
	assert(n == pending);
#ifndef LATE_IS_LOST
	assert(behind == 0);
#endif
	k = 0;
	do
	:: k < pending -> assert(owner[ring[k]] == AVAIL); k++
	:: else -> break
	od
}

active proctype vhost_thread()
{
	locked(new_device);
end:	do
#ifdef BASE
	/* GET_VRING_BASE: the access locks are not held in destroy_device(), and taken once after it. */
	:: atomic { !closing -> busy = true; asking = true };
#ifdef MUT_REPLY_FIRST
	   d_step { replied = true; asking = false };
	   locked(destroy_device);
	   replied = false;
#else
	   locked(destroy_device);
	   lock_access();
	   unlock_access();
	   d_step { check_base(); replied = true; asking = false };
	   if
	   :: skip /* the guest goes on (stop and cont), or another back end would */
	   :: reset_guest() /* or its driver begins anew */
	   fi;
	   lock_access(); /* SET_VRING_BASE, SET_VRING_ADDR, SET_VRING_KICK: before_message(), after_message() */
	   replied = false;
	   d_step { translate() };
	   unlock_access();
#endif
	   locked(new_device);
	   busy = false
#endif
#ifdef ENABLE
	/*
	 * SET_VRING_ENABLE 0, later 1, under the access locks. librte acknowledges before it calls
	 * vring_state_changed(): so before_message() disables.
	 */
	:: atomic { !closing && !access_lock -> access_lock = true; busy = true };
#ifndef MUT_ACK_FIRST
	   locked(vring_disabled); /* before_message() */
#endif
	   acknowledged = true;
	   locked(vring_disabled); /* vring_state_changed() */
	   unlock_access();
	   lock_access();
	   acknowledged = false;
	   locked(vring_enabled); /* vring_state_changed() */
	   unlock_access();
	   busy = false
#endif
#ifdef MEM
	/* SET_MEM_TABLE: librte unmaps its own mapping in between */
	:: atomic { !closing && !access_lock -> access_lock = true; busy = true };
	   locked(before_mem_table); /* before_message() */
	   d_step { translate() };
	   locked(after_mem_table); /* after_message() */
	   unlock_access();
	   busy = false
#endif
#ifdef CALL
	/* SET_VRING_CALL */
	:: atomic { !closing && !access_lock -> access_lock = true; busy = true };
	   locked(hide_callfds); /* before_message() */
	   unlock_access();
	   busy = false
#endif
#ifdef NEW_GUEST
	/* The guest is gone, and another one comes. */
	:: atomic { !closing -> busy = true };
	   locked(destroy_device);
	   locked(destroy_connection);
	   if
	   :: !closing -> reset_guest(); locked(new_device)
	   :: closing
	   fi;
	   busy = false
#endif
	od
}

/* ---- EAL's alarm thread ---- */

#if defined(REAP) || defined(TOP_UP) || defined(MISSTEERED)
active proctype alarm()
{
end:	do
	:: top_up_armed -> locked(top_up)
	:: missteered_armed -> locked(unmap_missteered)
	:: reap_armed -> locked(reap_later)
	od
}
#endif

/* ---- the application's control thread ---- */

#if defined(UPLINK) || defined(PORT) || defined(CLOSE)
active proctype application()
{
end:	do
#ifdef UPLINK
	:: up_started -> locked(uplink_stop)
	:: !up_started -> locked(uplink_start)
#endif
#ifdef PORT
	:: started -> locked(port_stop)
	:: !started -> locked(port_start)
#endif
#ifdef CLOSE
	:: break
#endif
	od;
	/* vhost_close() */
	locked(port_close);
	/*
	 * vhost_unlisten(), librte: fdset_try_del waits while the vhost thread is in a callback; then
	 * destroy_device() comes on this thread, and no destroy_connection().
	 */
	atomic { !busy -> closing = true };
	locked(destroy_device);
	locked(port_unclaim); /* mapping_unclaim() */
	if
	:: up_started -> locked(uplink_stop)
	:: else
	fi;
	locked(uplink_close);
	/* Every buffer that the switch returned later was the last of its memory: nothing is left behind. */
	atomic {
		!ANY(HELD) && !ANY(SENT) && !reap_armed && op == 0 ->
		assert(!mapped[0] && !mapped[1])
	}
}
#endif

/* ---- the guest's driver ---- */

inline offer(b)
{
	d_step {
		owner[b] == OWN && !replied -> owner[b] = AVAIL;
		ring[pending] = b;
		pending++
	}
}

active proctype driver()
{
end:	do
	:: offer(0)
	:: offer(1)
#if NBUF == 3
	:: offer(2)
#endif
	od
}

/* Claim 4. Messages are answered and access locks released, whatever the others do. */
ltl answered { [] (busy -> <> !busy) }
