/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture as source, loaded to memory when the port is made; a capture of what is sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <pcap/pcap.h>

#include "emunic.h"

struct packet {
	size_t offset; /* in the bytes of the capture */
	uint16_t len;
	struct emu_parsed parsed;
};

struct emu_replay {
	uint8_t *bytes;
	size_t used, room;
	struct packet *packets;
	size_t count, packets_room;
	size_t next;
};

struct emu_dump {
	pcap_t *pcap;
	pcap_dumper_t *file;
	bool dirty;
};

/* Make room for one more packet. */
static int
grow(struct emu_replay *r, size_t len)
{
	void *p;

	if (r->used + len > r->room) {
		size_t room = 2 * r->room + len + 65536;

		p = realloc(r->bytes, room);
		if (p == NULL)
			return -ENOMEM;
		r->bytes = p;
		r->room = room;
	}
	if (r->count == r->packets_room) {
		size_t room = 2 * r->packets_room + 256;

		p = realloc(r->packets, room * sizeof(*r->packets));
		if (p == NULL)
			return -ENOMEM;
		r->packets = p;
		r->packets_room = room;
	}
	return 0;
}

static int
add(struct emu_replay *r, const uint8_t *data, uint16_t len)
{
	struct packet *packet;

	if (grow(r, len) != 0)
		return -ENOMEM;
	packet = &r->packets[r->count++];
	packet->offset = r->used;
	packet->len = len;
	emu_frame_parse(data, len, &packet->parsed);
	emu_frame_check(data, len, &packet->parsed);
	memcpy(r->bytes + r->used, data, len);
	r->used += len;
	return 0;
}

/* Read all packets; those that the capture cut short cannot be sent as they were. */
static int
load(struct emu_replay *r, pcap_t *pcap, const char *path)
{
	struct pcap_pkthdr *hdr;
	const u_char *data;
	size_t skipped = 0;
	int ret;

	while ((ret = pcap_next_ex(pcap, &hdr, &data)) == 1) {
		if (hdr->caplen != hdr->len || hdr->caplen < RTE_ETHER_HDR_LEN ||
			hdr->caplen > UINT16_MAX) {
			skipped++;
			continue;
		}
		if (add(r, data, hdr->caplen) != 0) {
			EMU_LOG(ERR, "rx_pcap=%s: no memory for packet %zu", path, r->count + 1);
			return -ENOMEM;
		}
	}
	if (ret != PCAP_ERROR_BREAK) {
		EMU_LOG(ERR, "rx_pcap=%s: damaged after packet %zu: %s", path, r->count + skipped,
			pcap_geterr(pcap));
		return -EINVAL;
	}
	if (skipped > 0)
		EMU_LOG(WARNING,
			"rx_pcap=%s: %zu packets left out, cut short or shorter than a header",
			path, skipped);
	return 0;
}

int
emu_replay_open(const char *path, struct emu_replay **replay)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	struct emu_replay *r;
	pcap_t *pcap;
	int ret;

	pcap = pcap_open_offline(path, error);
	if (pcap == NULL) {
		EMU_LOG(ERR, "rx_pcap=%s cannot be read: %s; give a readable pcap or pcapng file",
			path, error);
		return -EINVAL;
	}
	if (pcap_datalink(pcap) != DLT_EN10MB) {
		EMU_LOG(ERR, "rx_pcap=%s has link type %s; it must be Ethernet (EN10MB)", path,
			pcap_datalink_val_to_name(pcap_datalink(pcap)));
		pcap_close(pcap);
		return -EINVAL;
	}
	r = calloc(1, sizeof(*r));
	ret = r == NULL ? -ENOMEM : load(r, pcap, path);
	pcap_close(pcap);
	if (ret != 0) {
		emu_replay_free(r);
		return ret;
	}
	*replay = r;
	return 0;
}

void
emu_replay_free(struct emu_replay *replay)
{
	if (replay == NULL)
		return;
	free(replay->bytes);
	free(replay->packets);
	free(replay);
}

void
emu_replay_rewind(struct emu_replay *replay)
{
	replay->next = 0;
}

bool
emu_replay_done(const struct emu_replay *replay)
{
	return replay->next == replay->count;
}

/** Replay at most `budget` packets. */
unsigned int
emu_replay_run(struct emu *emu, unsigned int budget)
{
	struct emu_replay *r = emu->replay;
	unsigned int n;

	for (n = 0; n < budget && r->next < r->count; n++) {
		const struct packet *p = &r->packets[r->next];

		if (emu_rx_deliver(emu, r->bytes + p->offset, p->len, &p->parsed) == EMU_BLOCKED)
			break;
		r->next++;
	}
	return n;
}

int
emu_dump_open(const char *path, struct emu_dump **dump)
{
	struct emu_dump *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return -ENOMEM;
	d->pcap = pcap_open_dead(DLT_EN10MB, UINT16_MAX);
	if (d->pcap != NULL)
		d->file = pcap_dump_open(d->pcap, path);
	if (d->file == NULL) {
		EMU_LOG(ERR, "tx_pcap=%s cannot be written: %s; give a path in a writable folder",
			path, d->pcap != NULL ? pcap_geterr(d->pcap) : "no memory");
		emu_dump_close(d);
		return -EINVAL;
	}
	*dump = d;
	return 0;
}

void
emu_dump_close(struct emu_dump *dump)
{
	if (dump == NULL)
		return;
	if (dump->file != NULL)
		pcap_dump_close(dump->file);
	if (dump->pcap != NULL)
		pcap_close(dump->pcap);
	free(dump);
}

void
emu_dump_frame(struct emu_dump *dump, const uint8_t *data, uint16_t len)
{
	struct pcap_pkthdr hdr = {.caplen = len, .len = len};

	gettimeofday(&hdr.ts, NULL);
	pcap_dump((u_char *)dump->file, &hdr, data);
	dump->dirty = true;
}

/** Write what is buffered; cheap when there is nothing. */
void
emu_dump_flush(struct emu_dump *dump)
{
	if (dump->dirty)
		pcap_dump_flush(dump->file);
	dump->dirty = false;
}
