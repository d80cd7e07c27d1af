/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames the port takes, and into which queue. */
#include <string.h>

#include <rte_ip.h>
#include <rte_thash.h>

#include "emunic.h"

/* The key that NICs come with (Microsoft's RSS specification). */
static const uint8_t default_key[EMU_KEY_SIZE] = {
	0x6d,
	0x5a,
	0x56,
	0xda,
	0x25,
	0x5b,
	0x0e,
	0xc2,
	0x41,
	0x67,
	0x25,
	0x3d,
	0x43,
	0xa3,
	0x8f,
	0xb0,
	0xd0,
	0xca,
	0x2b,
	0xcb,
	0xae,
	0x7b,
	0x30,
	0xb4,
	0x77,
	0xcb,
	0x2d,
	0xa3,
	0x80,
	0x30,
	0xf2,
	0x0c,
	0x6a,
	0x42,
	0xb7,
	0x3b,
	0xbe,
	0xac,
	0x01,
	0xfa,
};

void
emu_steer_init(struct emu_steer *s, const struct rte_ether_addr *mac)
{
	memset(s, 0, sizeof(*s));
	s->macs[0] = emu_mac(mac);
	memcpy(s->hash.key, default_key, sizeof(s->hash.key));
}

/** Spread evenly. */
void
emu_steer_reset_reta(struct emu_steer *s, uint16_t nb_queues)
{
	unsigned int i;

	for (i = 0; i < EMU_RETA_SIZE; i++)
		s->reta[i] = nb_queues == 0 ? 0 : i % nb_queues;
	s->epoch++;
}

/** Take over what the application configured. */
void
emu_steer_configure(struct emu_steer *s, const struct rte_eth_conf *conf, uint16_t nb_queues)
{
	const struct rte_eth_rss_conf *rss = &conf->rx_adv_conf.rss_conf;

	s->rss = (conf->rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG) != 0;
	s->hash.types = rss->rss_hf & EMU_RSS_HF;
	if (rss->rss_key != NULL)
		memcpy(s->hash.key, rss->rss_key, sizeof(s->hash.key));
	emu_steer_reset_reta(s, nb_queues);
}

/* A rule for the VLAN wins over one for the address alone. */
static const struct rte_flow *
match_rule(const struct emu_steer *s, uint64_t dst, const struct emu_parsed *p)
{
	const struct rte_flow *any = NULL;
	unsigned int i;

	for (i = 0; i < s->nb_rules; i++) {
		const struct rte_flow *rule = s->rules[i];

		if (rule->mac != dst)
			continue;
		if (rule->vid == EMU_NO_VID)
			any = rule;
		else if (p->tagged && rule->vid == (p->vlan_tci & 0xfff))
			return rule;
	}
	return any;
}

static bool
accepts(const struct emu_steer *s, const uint8_t *data, uint64_t dst)
{
	unsigned int i;

	if (s->promiscuous)
		return true;
	if (data[0] & RTE_ETHER_GROUP_ADDR)
		return s->allmulticast || dst == UINT64_C(0xffffffffffff);
	for (i = 0; i < EMU_MAX_MACS; i++) {
		if (s->macs[i] == dst)
			return true;
	}
	return false;
}

/* Hash types of a frame's layers, by IP version. */
static const struct hash_types {
	uint64_t ip, tcp, udp;
	unsigned int words; /* of the addresses */
	size_t offset;
} types_v4 =
	{
		.ip = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER,
		.tcp = RTE_ETH_RSS_NONFRAG_IPV4_TCP,
		.udp = RTE_ETH_RSS_NONFRAG_IPV4_UDP,
		.words = 2,
		.offset = offsetof(struct rte_ipv4_hdr, src_addr),
},
  types_v6 = {
	  .ip = RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |
		  RTE_ETH_RSS_IPV6_EX,
	  .tcp = RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_IPV6_TCP_EX,
	  .udp = RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IPV6_UDP_EX,
	  .words = 8,
	  .offset = offsetof(struct rte_ipv6_hdr, src_addr),
};

static const struct hash_types *
hash_types_of(const struct emu_parsed *p)
{
	switch (p->ptype & RTE_PTYPE_L3_MASK) {
	case RTE_PTYPE_L3_IPV4:
	case RTE_PTYPE_L3_IPV4_EXT:
		return &types_v4;
	case RTE_PTYPE_L3_IPV6:
	case RTE_PTYPE_L3_IPV6_EXT:
		return &types_v6;
	default:
		return NULL;
	}
}

/* Toeplitz hash over addresses, and ports where the type is enabled. False: no hash. */
static bool
hash_frame(const struct emu_hash *h, const uint8_t *data, const struct emu_parsed *p, uint32_t *rss)
{
	const struct hash_types *types = hash_types_of(p);
	const uint32_t l4 = p->ptype & RTE_PTYPE_L4_MASK;
	uint64_t l4_type = 0;
	uint32_t words[9];
	unsigned int i, n;

	if (types == NULL)
		return false;
	n = types->words;
	memcpy(words, data + p->l3_off + types->offset, n * sizeof(words[0]));
	if (l4 == RTE_PTYPE_L4_UDP)
		l4_type = types->udp;
	else if (l4 == RTE_PTYPE_L4_TCP)
		l4_type = types->tcp;
	if (h->types & l4_type)
		memcpy(&words[n++], data + p->l4_off, sizeof(words[0]));
	else if (!(h->types & types->ip))
		return false;
	for (i = 0; i < n; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	*rss = rte_softrss(words, n, h->key);
	return true;
}

/** Find the queue of a frame. */
void
emu_steer_frame(const struct emu_steer *s, const uint8_t *data, const struct emu_parsed *p,
	struct emu_target *t)
{
	const uint64_t dst = emu_mac(data);
	const struct rte_flow *rule = match_rule(s, dst, p);

	t->rss = 0;
	if (rule != NULL && rule->rss) {
		/* What has no hash goes to the first queue, as hash 0 does. */
		t->hashed = hash_frame(&rule->hash, data, p, &t->rss);
		t->queue = rule->queues[t->rss % rule->nb_queues];
		return;
	}
	t->hashed = s->rss && hash_frame(&s->hash, data, p, &t->rss);
	if (rule != NULL)
		t->queue = rule->queues[0];
	else if (s->isolated || !accepts(s, data, dst))
		t->queue = EMU_NO_QUEUE;
	else
		t->queue = t->hashed ? s->reta[t->rss % EMU_RETA_SIZE] : 0;
}
