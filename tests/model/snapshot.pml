/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a guest's memory where the device is given physical addresses: a page is mapped for it once,
 * by the first guest (struct guest) that has it, and every later one that has it too keeps that guest
 * alive. Here guest 0 ends, by the return of its last buffer, while guest 1 is made of the same page.
 */
#define NONE 255

byte refs[2] = 1;        /* iovt_guest_mem.refs */
bool freed[2];           /* struct iovt_guest_mem */
bool dead[2];            /* guest.dead */
byte sharers[2];         /* guest.sharers */
bool exists[2] = true;   /* struct guest, in the list */
byte page_of = 0;        /* which guest mapped the page for the device */
bool dma = true;         /* the page is mapped for the device */
byte shared = NONE;      /* whom guest 1 keeps alive */
bool done;               /* guest 1 has ended */
bool alarm_set;
bool lock;

inline control_lock() { atomic { !lock -> lock = true } }
#define control_unlock() lock = false

/* iovt_guest_mem_unref(), guest_release() */
inline unref(g)
{
	atomic { assert(!freed[g]); assert(refs[g] > 0); refs[g]--; last = refs[g] == 0 };
	if
	:: last ->
		dead[g] = true;
		alarm_set = true;
		freed[g] = true
	:: else
	fi;
	last = false
}

/* guest_free(): what the guest mapped is unmapped for the device, region_dma_unmap() */
inline free_guest(g)
{
	assert(exists[g]);
	if
	:: page_of == g -> dma = false; page_of = NONE
	:: else
	fi;
	exists[g] = false;
	if
	:: g == 1 && shared != NONE ->
#ifdef MUT_REF_DYING
		unref(0);
#else
		sharers[0]--;
#endif
		shared = NONE
	:: else
	fi
}

/* reap_dead() */
inline reap_dead()
{
	do
	:: exists[1] && dead[1] && sharers[1] == 0 -> free_guest(1)
	:: exists[0] && dead[0] && sharers[0] == 0 -> free_guest(0)
	:: else -> break
	od
}

/* The last buffer of guest 0 comes back to iovt_rxq_reclaim(). */
active proctype lcore()
{
	bool last;

	unref(0)
}

/* guest_create() and, later, guest_put() of guest 1 */
active proctype control()
{
	bool last;

	control_lock();
	reap_dead();
	refs[1] = 1;
	exists[1] = true;
	/* region_dma_map(), share_page() */
	if
	:: page_of == NONE -> page_of = 1; dma = true
	:: page_of == 0 ->
#ifdef MUT_REF_DYING
		if
		:: !dead[0] -> assert(!freed[0]); refs[0]++; shared = 0
		:: else
		fi
#else
#ifdef MUT_SKIP_DEAD
		if
		:: dead[0]
		:: else -> sharers[0]++; shared = 0
		fi
#else
		sharers[0]++;
		shared = 0
#endif
#endif
	fi;
	control_unlock();
	/* The NIC writes. */
	assert(dma);
	assert(dma);
	control_lock();
	unref(1);
	reap_dead();
	done = true;
	control_unlock()
}

/* reap_later() */
active proctype alarm()
{
	bool last;

end:	do
	:: alarm_set;
	   control_lock();
	   alarm_set = false;
	   reap_dead();
	   control_unlock()
	od
}

/* Nothing is left behind. */
active proctype observer()
{
	atomic {
		done && freed[0] && !alarm_set && !lock ->
		assert(!exists[0] && !exists[1])
	}
}
