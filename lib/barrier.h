/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every memory-ordering primitive of the engine.
 *
 * The peer of these operations is a guest driver on another CPU, in another process, or (for the
 * lock) another lcore of the switch. Nothing else in lib/ orders memory accesses.
 */
#ifndef IOVT_BARRIER_H
#define IOVT_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

/* Read one guest-written value exactly once: the compiler may neither repeat nor tear it. */
#define IOVT_READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
/* Write one value that the guest may read at any moment exactly once. */
#define IOVT_WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/*
 * Look at a counter that its owner goes on counting with: the value is whole, and of no particular moment.
 * The owner counts with plain stores, so that the thread sanitizer finds out when there are two; this look
 * it does not see.
 */
__attribute__((no_sanitize("thread"))) static inline uint64_t
iovt_look(const uint64_t *counter)
{
	return IOVT_READ_ONCE(*counter);
}

#define iovt_likely(x)   __builtin_expect(!!(x), 1)
#define iovt_unlikely(x) __builtin_expect(!!(x), 0)
#define IOVT_INLINE      static inline __attribute__((always_inline))

/* An index published by the guest: what it wrote before the index is visible after this load. */
IOVT_INLINE uint16_t
iovt_load_acquire(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

/* Publish an index to the guest: all that was written before it is visible first. */
IOVT_INLINE void
iovt_store_release(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/*
 * Order the store of the used index before the load of the guest's notification wish: the only
 * place where a store must not pass a later load (virtio 1.2, 2.7.10: "driver MUST ... after").
 */
IOVT_INLINE void
iovt_full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * What is written before a ring is shown to a guest is visible to whoever takes a chain, of any ring, that
 * the guest makes available after that: a guest passes buffers on from one queue to another. The order is of the
 * guest's making, and the thread sanitizer, which sees this process only, is told of it here.
 */
#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define iovt_guest_shown(guest) __tsan_release((void *)(uintptr_t)(guest))
#define iovt_guest_seen(guest)  __tsan_acquire((void *)(uintptr_t)(guest))
#else
#define iovt_guest_shown(guest) ((void)(guest))
#define iovt_guest_seen(guest)  ((void)(guest))
#endif

/*
 * What is stored before this is stored first, for whoever looks when this process has been killed, which
 * loses none of its stores. No instruction: it is the compiler that has to keep the order.
 */
IOVT_INLINE void
iovt_program_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

IOVT_INLINE void
iovt_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* A test-and-set lock: held for one burst at most, by data path and control path alike. */
struct iovt_lock {
	uint32_t held;
};

IOVT_INLINE bool
iovt_lock_try(struct iovt_lock *l)
{
	return __atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) == 0;
}

IOVT_INLINE void
iovt_lock_take(struct iovt_lock *l)
{
	while (iovt_unlikely(!iovt_lock_try(l)))
		while (__atomic_load_n(&l->held, __ATOMIC_RELAXED))
			iovt_pause();
}

IOVT_INLINE void
iovt_lock_release(struct iovt_lock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}

#endif
