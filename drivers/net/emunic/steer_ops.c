/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, promiscuous modes, RSS: what the application says about steering. */
#include <string.h>

#include "emunic.h"

static struct emu *
priv(struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* Steering is changed between begin and end; the epoch makes the generator aim again. */
static struct emu_steer *
begin(struct rte_eth_dev *dev)
{
	emu_lock(priv(dev));
	return &priv(dev)->steer;
}

static void
end(struct rte_eth_dev *dev)
{
	priv(dev)->steer.epoch++;
	emu_unlock(priv(dev));
}

int
emu_promiscuous_enable(struct rte_eth_dev *dev)
{
	begin(dev)->promiscuous = true;
	end(dev);
	return 0;
}

int
emu_promiscuous_disable(struct rte_eth_dev *dev)
{
	begin(dev)->promiscuous = false;
	end(dev);
	return 0;
}

int
emu_allmulticast_enable(struct rte_eth_dev *dev)
{
	begin(dev)->allmulticast = true;
	end(dev);
	return 0;
}

int
emu_allmulticast_disable(struct rte_eth_dev *dev)
{
	begin(dev)->allmulticast = false;
	end(dev);
	return 0;
}

int
emu_mac_set(struct rte_eth_dev *dev, struct rte_ether_addr *addr)
{
	begin(dev)->macs[0] = emu_mac(addr);
	end(dev);
	return 0;
}

int
emu_mac_add(struct rte_eth_dev *dev, struct rte_ether_addr *addr, uint32_t index, uint32_t pool)
{
	RTE_SET_USED(pool);
	begin(dev)->macs[index] = emu_mac(addr);
	end(dev);
	return 0;
}

void
emu_mac_remove(struct rte_eth_dev *dev, uint32_t index)
{
	begin(dev)->macs[index] = 0;
	end(dev);
}

/* A device that has failed: its table is out of reach once the port was restarted. */
static bool
reta_failed(const struct emu *emu)
{
	return emu->conf.reta_fail && emu->starts > 1;
}

/* ethdev has checked size and queues. */
int
emu_reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	struct emu_steer *s;
	unsigned int i;

	if (reta_failed(priv(dev)))
		return -EIO;
	s = begin(dev);
	for (i = 0; i < size; i++) {
		const struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];
		unsigned int slot = i % RTE_ETH_RETA_GROUP_SIZE;

		if (group->mask >> slot & 1)
			s->reta[i] = group->reta[slot];
	}
	end(dev);
	return 0;
}

int
emu_reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	const struct emu_steer *s = &priv(dev)->steer;
	unsigned int i;

	if (reta_failed(priv(dev)))
		return -EIO;
	for (i = 0; i < size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];
		unsigned int slot = i % RTE_ETH_RETA_GROUP_SIZE;

		if (group->mask >> slot & 1)
			group->reta[slot] = s->reta[i];
	}
	return 0;
}

int
emu_rss_hash_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	struct emu_steer *s;

	if (conf->rss_key != NULL && conf->rss_key_len != 0 && conf->rss_key_len != EMU_KEY_SIZE) {
		EMU_LOG(ERR, "%s: RSS key of %u bytes; it must have %u", dev->device->name,
			conf->rss_key_len, EMU_KEY_SIZE);
		return -EINVAL;
	}
	s = begin(dev);
	s->hash.types = conf->rss_hf & EMU_RSS_HF;
	if (conf->rss_key != NULL)
		memcpy(s->hash.key, conf->rss_key, sizeof(s->hash.key));
	end(dev);
	return 0;
}

int
emu_rss_hash_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	const struct emu_steer *s = &priv(dev)->steer;

	conf->rss_hf = s->rss ? s->hash.types : 0;
	if (conf->rss_key != NULL && conf->rss_key_len >= EMU_KEY_SIZE) {
		memcpy(conf->rss_key, s->hash.key, sizeof(s->hash.key));
		conf->rss_key_len = EMU_KEY_SIZE;
	}
	return 0;
}
