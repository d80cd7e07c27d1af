/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio-net driver for tests, of a receive queue or of a transmit queue: posts buffers of any layout,
 * empty or with a packet in them, takes used ones back, and checks what a guest can check: every
 * buffer comes back once, nothing is written beside it, the contents are right. The ring format is behind a
 * table of functions, so that one test body serves all.
 */
#ifndef FAKE_GUEST_H
#define FAKE_GUEST_H

#include <linux/virtio_ring.h>

#include "fake_mem.h"
#include "rxq.h"

#define FAKE_SEGS 3
/* Bytes for one buffer whatever its layout: two pages, in which its pieces lie apart. */
#define FAKE_AREA    (2 * FAKE_PAGE)
#define FAKE_LEN_MAX 3500u

enum fake_layout {
	FAKE_ONE,          /* one descriptor */
	FAKE_HDR_FOLLOWED, /* header descriptor, data following in memory */
	FAKE_HDR_APART,    /* header descriptor, data elsewhere */
	FAKE_CHAIN,        /* three descriptors, out of order in memory */
	FAKE_INDIRECT_ONE, /* the same in an indirect table */
	FAKE_INDIRECT_HDR,
	FAKE_INDIRECT_CHAIN,
	FAKE_DIRECT_INDIRECT, /* one direct descriptor, then an indirect table */
	FAKE_PAGE_CROSS,      /* one descriptor across a page boundary */
	FAKE_REGION_CROSS,    /* one descriptor across two adjoining regions; one at a time */
	FAKE_LAYOUTS,
};

/* Where in memory; the regions differ in how a device sees them. */
enum fake_place { FAKE_LINEAR, FAKE_PAIRS, FAKE_SCATTERED, FAKE_PLACES };

struct fake_seg {
	uint64_t gpa;
	uint32_t len;
};

/* What the guest knows of one posted chain. */
struct fake_chain {
	bool posted;
	bool contiguous; /* by layout and place, a device can fill it as one buffer */
	uint8_t nr_seg;
	uint8_t nr_direct; /* segments outside the indirect table */
	enum fake_place place;
	uint64_t area;
	uint32_t len;
	uint64_t digest; /* of what is sent */
	struct fake_seg seg[FAKE_SEGS];
	uint16_t desc[FAKE_SEGS +
		1]; /* ring entries taken; packed: the first is the id, of nr_desc entries */
	uint16_t nr_desc;
};

/* A descriptor that is written as it is, right or wrong. */
struct fake_raw {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags; /* VRING_DESC_F_WRITE and _INDIRECT; of a chain's last one also _NEXT */
};

struct fake_guest;

struct fake_format {
	const char *name;
	size_t (*bytes)(uint16_t size); /* of all ring areas */
	void (*reset)(struct fake_guest *g, uint16_t start);
	int (*add)(struct fake_guest *g, struct fake_chain *c); /* id, or -1: ring full */
	void (*drop)(struct fake_guest *g, const struct fake_chain *c);
	bool (*used)(struct fake_guest *g, uint16_t *id, uint32_t *len);
	/* Ask to be notified once n more buffers are used, or (n 0) not at all. Packed ring: n beyond 1
	 * counts ring entries, hence buffers only if each is one descriptor. */
	void (*notify_after)(struct fake_guest *g, uint16_t n);
	/* Does the device want to hear of what was posted since this was asked last? */
	bool (*must_kick)(struct fake_guest *g);
	/* Where the next used buffer will be looked for, as in SET_VRING_BASE. */
	uint16_t (*next_used)(const struct fake_guest *g);
	/* The same as the ring has it: flags, and the ring index at which to be notified. */
	void (*wish)(struct fake_guest *g, uint16_t flags, uint16_t event);
	/* Does the device want to be kicked? */
	bool (*kicks)(const struct fake_guest *g);
	/* fake_guest_offer(), fake_guest_table() */
	void (*offer)(struct fake_guest *g, uint16_t id, const struct fake_raw *d, uint16_t n);
	void (*table)(void *table, const struct fake_raw *d, uint16_t n);
	void (*open)(const struct fake_guest *g, struct iovt_vring_conf *conf);
	/* The ring index (as in SET_VRING_BASE) n entries after start. */
	uint16_t (*after)(uint16_t size, uint16_t start, uint16_t n);
	/* The index with which rings begin at a reset. */
	uint16_t first;
};

extern const struct fake_format fake_split;
extern const struct fake_format fake_packed;

/* The ring index n entries before the first one comes again: a lap of 16 bits, or of both wrap counters. */
static inline uint16_t
fake_before_turn(const struct fake_format *f, uint16_t size, uint16_t n)
{
	uint16_t lap = f == &fake_split ? 0 : 2 * size;

	return f->after(size, f->first, lap - n);
}

/* Split format: ring areas as the guest sees them. */
struct fake_split_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t kicked; /* avail_idx when must_kick() was asked last */
};

/* A place in a packed ring, and the wrap counter there. */
struct fake_packed_pos {
	uint16_t idx;
	bool wrap;
};

/* Packed format: ring areas as the guest sees them. */
struct fake_packed_ring {
	struct vring_packed_desc *desc;
	struct vring_packed_desc_event *driver;
	struct vring_packed_desc_event *device;
	struct fake_packed_pos avail;
	struct fake_packed_pos used;
	uint16_t nr_free;  /* ring entries; ids are in free_desc */
	uint16_t nr_added; /* ring entries since must_kick() was asked last */
};

/* Where in guest memory a queue has its things; its own of each, or none. */
struct fake_places {
	uint64_t rings;
	uint64_t tables;            /* of fake_tables_bytes() */
	uint64_t area[FAKE_PLACES]; /* FAKE_AREA for each entry of the ring */
	uint64_t crossing;          /* a FAKE_AREA across two regions; UINT64_MAX: none */
};

struct fake_guest {
	struct fake_mem mem; /* a copy of a common one, if not owned */
	bool owns_mem;
	const struct fake_format *format;
	uint16_t size;
	uint8_t hdr_len;
	bool mergeable;
	bool event_idx;
	uint16_t dir; /* IOVT_TO_GUEST: a receive queue; IOVT_FROM_GUEST */
	uint64_t rings;
	uint64_t tables; /* gpa of the indirect tables, one of FAKE_SEGS + 1 entries per head */
	uint64_t area[FAKE_PLACES];
	uint64_t crossing_area;
	uint16_t headroom; /* bytes before a buffer that are the device's, too; 0 unless set */
	/* Called with each used buffer before it is free again; may be NULL. */
	void (*on_used)(const struct fake_guest *g, const struct fake_chain *c, uint32_t len);
	/* The device sets num_buffers only in mergeable buffers, as DPDK's does. */
	bool any_num_buffers;
	union {
		struct fake_split_ring split;
		struct fake_packed_ring packed;
	};
	uint16_t *free_desc;
	uint16_t nr_free_desc;
	uint16_t *free_area[FAKE_PLACES];
	uint16_t nr_free_area[FAKE_PLACES];
	bool crossing;
	uint16_t nr_posted;
	struct fake_chain *chain; /* [size], by id */
};

struct fake_guest_conf {
	const struct fake_format *format;
	uint16_t size;
	uint16_t
		start; /* first ring index, as in SET_VRING_BASE: packed, wrap counter << 15 | index */
	uint8_t hdr_len;
	bool mergeable;
	bool event_idx;
	bool one_view;
	bool sends; /* a transmit queue */
};

/* A packet as received: the header, then what the used buffers hold. */
struct fake_packet {
	bool flushed; /* a buffer of length 0 came back instead */
	uint16_t nr;
	uint16_t id[64];
	struct iovt_vnet_hdr hdr;
	uint32_t len;
	uint8_t data[66 * 1024];
};

void fake_guest_init(struct fake_guest *g, const struct fake_guest_conf *conf);
/* The same in memory that the caller has made, and others use, too. */
void fake_guest_init_in(struct fake_guest *g, const struct fake_guest_conf *conf,
	const struct fake_mem *mem, const struct fake_places *places);
size_t fake_tables_bytes(uint16_t size);
void fake_guest_fini(struct fake_guest *g);
/* Forget all buffers and start the ring anew, as a driver does after a device reset. */
void fake_guest_reset(struct fake_guest *g, uint16_t start);

/* What the guest knows of its buffers, without its memory; to be restored once, in that same guest. */
struct fake_saved *fake_guest_save(const struct fake_guest *g);
void fake_guest_restore(struct fake_guest *g, struct fake_saved *s);

/* The ring as the back end has to open it, to go on at these indices. */
struct iovt_vring_conf fake_guest_ring(const struct fake_guest *g, uint16_t last_avail,
	uint16_t last_used);

/* Post a buffer of len bytes, header included. Returns its id, or -1: no room for it. */
int fake_guest_post(struct fake_guest *g, enum fake_layout layout, uint32_t len,
	enum fake_place place);
/* Post the same buffer until the ring is full. Returns how many. */
unsigned int fake_guest_fill(struct fake_guest *g, enum fake_layout layout, uint32_t len,
	enum fake_place place);

/* Send packet seq, header and frame in len bytes. Returns its id, or -1: no room. */
int fake_guest_send(struct fake_guest *g, enum fake_layout layout, uint32_t len,
	enum fake_place place, uint64_t seq);
/* Send these len bytes, header included. Returns the buffer's id, or -1: no room. */
int fake_guest_send_bytes(struct fake_guest *g, enum fake_layout layout, enum fake_place place,
	const uint8_t *packet, uint32_t len);
/* Take the next sent packet's buffer back, which must be as it was sent. Returns its id, or -1: none. */
int fake_guest_reap(struct fake_guest *g);

/* Nothing has been written beside the buffers that are posted; what is in these is lost. */
void fake_guest_check_posted(const struct fake_guest *g);

/* Take the next packet. Its buffers are free again, and checked. */
bool fake_guest_receive(struct fake_guest *g, struct fake_packet *p);

/*
 * Offer a chain of n descriptors by hand; each but the last is linked to the next. Nothing is checked, and
 * what is offered is not told apart from what was posted, so the ids must differ. id: of a split ring, the
 * first of n descriptors in a row; one that is out of range names the first of all.
 */
void fake_guest_offer(struct fake_guest *g, uint16_t id, const struct fake_raw *d, uint16_t n);
/* Write an indirect table of n entries, the same way, at any address. */
void fake_guest_table(struct fake_guest *g, uint64_t gpa, const struct fake_raw *d, uint16_t n);
/* Take the next used chain back, which was offered by hand. false: there is none. */
bool fake_guest_used(struct fake_guest *g, uint16_t *id, uint32_t *len);

/* Contents that depend on the sequence number alone: written, or compared. */
void fake_frame_write(uint8_t *dst, uint64_t seq, uint32_t len);
bool fake_frame_equal(const uint8_t *data, uint64_t seq, uint32_t len);
/* A header whose every field depends on seq, with num_buffers 1. */
struct iovt_vnet_hdr fake_frame_hdr(uint64_t seq);
/* Is p the packet seq of len bytes, whole, with its header, in nr_bufs buffers? */
void fake_packet_check(const struct fake_guest *g, const struct fake_packet *p, uint64_t seq,
	uint32_t len);

#endif
