/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <unistd.h>

#include "loan_bed.h"

#include <rte_eal.h>
#include <rte_errno.h>

#include "control.h"

struct rte_mempool *app_pool;
struct vhost_port port;
unsigned int reaped;

/* The thread sanitizer does not see the locks that EAL has around its list of alarms, and that of mempools. */
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
	return "called_from_lib:librte_eal.so\nrace:look_closely";
}

/* The uplink's, of which there is none here. */
void
uplink_reap(struct uplink *up)
{
	reaped++;
}

void
uplink_reap_device(const struct rte_device *dma)
{
	__atomic_fetch_add(&reaped, 1, __ATOMIC_RELAXED);
}

struct bed *
open_bed(const struct kind *kind)
{
	const struct fake_guest_conf guest = {
		.format = kind->format,
		.size = SIZE,
		.start = kind->format->first,
		.hdr_len = HDR,
		.sends = true,
	};
	struct iovt_txq_conf conf = {.hdr_len = HDR,
		.borrow_max = CREDIT,
		.release = loan_pool_gone};
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_guest_init(&b->guest, &guest);
	b->q.port = &port;
	b->q.call.fd = -1;
	control_lock();
	assert_int_equal(vhost_rx_set_pool(&b->q, app_pool), 0);
	b->q.loans = loan_pool_create(SIZE, app_pool, 7, kind->headers ? 0 : HDR, kind->headers,
		NULL);
	assert_non_null(b->q.loans);
	snprintf(b->pool, sizeof(b->pool), "%s", b->q.loans->mp->name);
	conf.ring = fake_guest_ring(&b->guest, guest.start, guest.start);
	conf.ctx = b->q.loans;
	assert_int_equal(iovt_txq_create(&conf, &b->q.txq), 0);
	b->q.loans->txq = b->q.txq;
	vhost_rx_set_receive(&b->q);
	control_unlock();
	/* The first packet is copied: nothing told its region before. */
	assert_true(fake_guest_send(&b->guest, FAKE_ONE, HDR + LEN, FAKE_LINEAR, 0) >= 0);
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts, 1), 1);
	assert_ptr_equal(b->pkts[0]->pool, app_pool);
	rte_pktmbuf_free(b->pkts[0]);
	assert_true(fake_guest_reap(&b->guest) >= 0);
	return b;
}

unsigned int
close_queue(struct bed *b)
{
	struct iovt_txq_stats stats;
	struct iovt_vring_end end;
	unsigned int out;

	control_lock();
	loan_pool_retire(b->q.loans);
	out = iovt_txq_destroy(b->q.txq, &end, &stats);
	control_unlock();
	return out;
}

static bool
gone_within(const struct bed *b, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 10) {
		if (rte_mempool_lookup(b->pool) == NULL)
			return true;
		usleep(10000);
	}
	return false;
}

bool
pool_goes(const struct bed *b)
{
	return gone_within(b, 20000);
}

bool
pool_stays(const struct bed *b)
{
	return !gone_within(b, 200);
}

void
close_bed(struct bed *b)
{
	assert_int_equal(rte_mempool_in_use_count(app_pool), 0);
	fake_guest_fini(&b->guest);
	free(b);
}

void
send_packets(struct bed *b, uint64_t seq, unsigned int n, uint32_t len)
{
	for (unsigned int i = 0; i < n; i++)
		assert_true(
			fake_guest_send(&b->guest, FAKE_ONE, HDR + len, FAKE_LINEAR, seq + i) >= 0);
}

void
expect_packet(const struct rte_mbuf *m, uint64_t seq, uint32_t len)
{
	uint8_t data[LEN];

	assert_int_equal(m->pkt_len, len);
	assert_true(fake_frame_equal(rte_pktmbuf_read(m, 0, len, data), seq, len));
}

void
take(struct bed *b, uint64_t seq, unsigned int n)
{
	send_packets(b, seq, n, LEN);
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts, n), n);
	for (unsigned int i = 0; i < n; i++)
		expect_packet(b->pkts[i], seq + i, LEN);
}

void
expect_back(struct bed *b, unsigned int n)
{
	/* Shown by the poller. */
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts, 1), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_true(fake_guest_reap(&b->guest) >= 0);
	assert_int_equal(fake_guest_reap(&b->guest), -1);
}

struct rte_mbuf *
loan_in(struct rte_mbuf *m, const struct kind *kind)
{
	return kind->headers ? m->next : m;
}

void
run_kinds(void (*body)(const struct kind *kind))
{
	for (unsigned int i = 0; i < 4; i++)
		body(&(struct kind){i & 1 ? &fake_packed : &fake_split, i & 2});
}

int
start_beds(void **state)
{
	static struct rte_eth_dev_data data = {.port_id = 3, .name = "test"};
	const char *args[] = {"test", "-l", "0", "--no-pci", "--no-telemetry", "--no-shconf",
		"--file-prefix=test-loans", "--no-huge", "-m", "64", "--iova-mode=va"};

	if (rte_eal_init(RTE_DIM(args), (char **)(uintptr_t)args) < 0)
		return -1;
	port.data = &data;
	app_pool = rte_pktmbuf_pool_create("app", 511, 0, 32, RTE_MBUF_DEFAULT_BUF_SIZE,
		SOCKET_ID_ANY);
	return app_pool != NULL && loan_ops_index >= 0 ? 0 : -1;
}

int
end_beds(void **state)
{
	rte_mempool_free(app_pool);
	return rte_eal_cleanup();
}
