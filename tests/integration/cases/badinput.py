# SPDX-License-Identifier: BSD-3-Clause
"""Wrong devargs: refused with a message that names what is wrong, and nothing left behind.

Each case is attached to one running testpmd, as `--vdev` would do it, but in milliseconds."""
import os
import socket
from dataclasses import dataclass, field

from harness.errors import Failure, check, check_equal
from harness.process import wait_until
from harness.registry import test
from harness.testpmd import Testpmd, prompted

UPLINK, VHOST = "net_iovtee_uplink0", "net_iovtee_vhost0"
GOOD_UPLINK = f"{UPLINK},dev(net_emunic0,rxq=2,txq=2,start=manual)"
NIC1 = "net_emunic1,start=manual"
MAC = "mac=52:54:00:00:00:01"
TOO_LONG = "/run/" + "x" * 108
# What a message of somebody else says when nobody explained.
FAILED = ("Failed to attach port", "Fail to start port", "Fail to configure port")


@dataclass
class Case:
    """Attach each of `before` and start our own ports of them, then attach `devargs` (and start
    it): that must be refused, with `words` in the message."""
    devargs: str
    words: tuple
    before: tuple = field(default=())
    start: bool = False


UPLINK_CASES = [
    Case(UPLINK, ("dev(", "port=")),
    Case(f"{UPLINK},bogus=1", ("bogus",)),
    Case(f"{UPLINK},dev(net_emunic0),bogus=1", ("bogus",)),
    Case(f"{UPLINK},dev(net_emunic0),max-frame=63", ("63", "64")),
    Case(f"{UPLINK},port=net_emunic1,max-frame=1518x", ("1518x",), (NIC1,)),
    Case(f"{UPLINK},dev(net_nosuch0)", ("net_nosuch0",)),
    Case(f"{UPLINK},dev(net_emunic0", ("dev(", ")")),
    Case(f"{UPLINK},dev()", ("dev",)),
    Case(f"{UPLINK},dev=net_emunic0", ("dev",)),
    Case(f"{UPLINK},dev(net_emunic0,bogus=1)", ("bogus",)),
    Case(f"{UPLINK},dev(net_emunic0),port=net_emunic1", ("dev", "port"), (NIC1,)),
    Case(f"{UPLINK},port=net_nosuch0", ("net_nosuch0",)),
    Case(f"{UPLINK},port=", ("port",)),
    Case("net_iovtee_uplink1,port=net_emunic1", ("net_emunic1",),
         (NIC1, f"{UPLINK},port=net_emunic1")),
    Case("net_iovtee_uplink1,dev(net_emunic0)", ("net_emunic0",), (GOOD_UPLINK,)),
    Case(f"{UPLINK},port={UPLINK}", (UPLINK,)),
]

VHOST_VALUES = {
    "client": ("2", "-1", "x", ""),
    "queues": ("0", "17", "-1", "x", "1x", ""),
    "mac": ("zz", "52:54:00:00:00", "01:00:5e:00:00:01", "00:00:00:00:00:00"),
    "vlan": ("4096", "-1", "x"),
    "trust": ("2", "x", ""),
    "reserve": ("91", "-1", "x", "99999999999999999999"),
    "starve": ("none", ""),
    "headroom": ("big", "11", ""),
    "tx-zero-copy": ("1", "all", "", "whole"),
    "rxq": ("x", "-1"),
}


def vhost_cases(iface):
    up = f"uplink={UPLINK}"
    cases = [Case(f"{VHOST},iface={iface},{key}={value}", (key, value))
             for key, values in VHOST_VALUES.items() for value in values]
    return cases + [
        Case(VHOST, ("iface",)),
        Case(f"{VHOST},iface={iface},bogus=1", ("bogus",)),
        Case(f"{VHOST},iface=", ("iface",)),
        Case(f"{VHOST},iface={TOO_LONG}", ("107",)),
        Case(f"{VHOST},iface=/nonexistent/dir/nf.sock", ("/nonexistent/dir",), start=True),
        Case(f"{VHOST},iface={iface},uplink=net_null0", ("net_null0",), ("net_null0",), True),
        Case(f"{VHOST},iface={iface},uplink=eth0", ("eth0", "net_iovtee_uplink")),
        Case(f"{VHOST},iface={iface},uplink=", ("uplink",)),
        Case(f"{VHOST},iface={iface},{up},rxq=2,trust=1", ("rxq", "2"), (GOOD_UPLINK,), True),
        Case(f"{VHOST},iface={iface},{up},rxq=1,queues=2,trust=1", ("rxq", "2"), (GOOD_UPLINK,),
             True),
        Case(f"net_iovtee_vhost1,iface={iface}1,{up},rxq=0,trust=1", (VHOST, "rxq"),
             (GOOD_UPLINK, f"{VHOST},iface={iface},{up},rxq=0,trust=1"), True),
    ]


EMUNIC_CASES = [
    Case(f"net_emunic0,{key}={value}", (key, value)) for key, values in {
        "rxq": ("0", "33", "x"), "txq": ("0", "33"), "mac": ("zz",), "engine": ("steam",),
        "cpu": ("-1", "x"), "max_frame": ("59", "9729"), "rxq_stop": ("2",), "gen": ("x",),
        "frame": ("59", "1519"), "flows": ("0", "x"), "dst": ("zz",), "count": ("x",),
        "rate": ("-1",), "pause": ("2",), "start": ("later",), "loop": ("x",),
        "rx_pcap": ("/nonexistent.pcap", "/etc/passwd"), "tx_pcap": ("/nonexistent/out.pcap",),
    }.items() for value in values] + [Case("net_emunic0,bogus=1", ("bogus",))]


def attach(switch, devargs, start):
    """Attach one port, start it if asked; returns what was said and whether it was refused."""
    output = switch.cmd(f"port attach {devargs}")
    name = devargs.split(",")[0]
    ports = switch.telemetry.ports()
    if name not in ports:
        return output, True
    if not start:
        return output, False
    output += switch.cmd(f"port start {ports[name]}")
    info = switch.telemetry.ask("/ethdev/info", ports[name])
    return output, not info["dev_started"]


def detach_all(switch):
    """Newest first: a guest's port goes before the uplink that it maps, and a port that was wrapped by
    port= shows only after its uplink has gone."""
    for _ in range(4):
        for port in sorted(switch.telemetry.ports().values(), reverse=True):
            switch.cmd(f"port stop {port}")
            switch.cmd(f"port detach {port}")
    check_equal(switch.telemetry.ports(), {}, "the ports after detaching all")


def own_words(output):
    return "\n".join(line for line in output.splitlines()
                     if "testpmd> " not in line and not any(f in line for f in FAILED))


def run_case(switch, case):
    for devargs in case.before:
        output, refused = attach(switch, devargs, devargs.startswith("net_iovtee"))
        check(not refused, f"{devargs}: {output}")
    fds, files = switch.fd_count(), sorted(os.listdir(os.path.dirname(switch.log_path)))
    names = set(switch.telemetry.ports())
    output, refused = attach(switch, case.devargs, case.start)
    check(refused, "accepted")
    said = own_words(output.replace(case.devargs, "DEVARGS"))
    # Some versions of DPDK take 127 bytes at most, and say so.
    for word in () if "devargs truncated" in output else case.words:
        check(word in said, f"the message does not name {word!r}: {said or 'nothing'}")
    if set(switch.telemetry.ports()) == names:
        check_equal(sorted(os.listdir(os.path.dirname(switch.log_path))), files, "folder")
        wait_until(lambda: switch.fd_count() <= fds, 2, "the file descriptors to be closed")


def start_switch(bed, count):
    # testpmd remembers whether a port id had link interrupts, even when another port takes it over.
    switch = Testpmd(bed, f"switch{count}", [], bed.plugins(), app=["--no-lsc-interrupt"]).ready()
    check_equal(switch.telemetry.ports(), {}, "the ports at start")
    if bed.ports == "iovtee":  # so that what librte_vhost opens once and for all is open
        attach(switch, f"{VHOST},iface={bed.path('first.sock')}", True)
        detach_all(switch)
    return switch


def run_cases(bed, cases):
    """Run all; a failure lists every case that failed."""
    switch, starts, wrong = start_switch(bed, 0), 1, []
    for case in cases:
        try:
            run_case(switch, case)
            detach_all(switch)
        except Failure as failure:
            wrong.append(f"{case.devargs}: {failure}")
            switch.kill()
            switch = start_switch(bed, starts)
            starts += 1
    switch.quit()
    check(not wrong, f"{len(wrong)} of {len(cases)} cases: " + "; ".join(wrong))


@test("bad-devargs-uplink")
def bad_uplink(bed):
    bed.need_iovtee()
    run_cases(bed, UPLINK_CASES)


@test("bad-devargs-vhost")
def bad_vhost(bed):
    bed.need_iovtee()
    run_cases(bed, vhost_cases(bed.path("nf.sock")))


@test("bad-devargs-emunic")
def bad_emunic(bed):
    run_cases(bed, EMUNIC_CASES)


NOBODYS = "net_iovtee_uplink9"
TWO_QUEUES = "dev(net_emunic0,rxq=2,txq=2)"


def started(switch, name):
    return switch.telemetry.ask("/ethdev/info", switch.telemetry.ports()[name])["dev_started"]


def with_command_line(bed, name, vdevs):
    """Have a switch make these; returns what it said, and which ports it has started."""
    switch = Testpmd(bed, name, vdevs, bed.plugins())
    wait_until(lambda: prompted(switch.output()), 30, "testpmd")
    ports = {port for port in switch.telemetry.ports() if started(switch, port)}
    said = own_words("\n".join(switch.output().splitlines()[1:]))
    switch.hang_up()
    switch.kill()
    return said, ports


@test("bad-uplink-at-start")
def bad_uplink_at_start(bed):
    """The command line names all ports: a guest's port whose uplink, or uplink's queue, is not there is refused,
    whichever comes first."""
    bed.need_iovtee()
    uplink, other = f"{UPLINK},{TWO_QUEUES}", "net_iovtee_vhost1"

    def vhost(port, devargs):
        return f"{port},iface={bed.path(port)},trust=1,{devargs}"

    accepted = vhost(VHOST, "uplink=0")
    for i, (guest, words, before) in enumerate((
            (vhost(other, f"uplink={NOBODYS}"), (NOBODYS, "--vdev"), ()),
            (vhost(other, "uplink=9"), (NOBODYS, "--vdev"), ()),
            (vhost(other, "uplink=net_emunic0"), ("net_emunic0", "net_iovtee_uplink"), ()),
            (vhost(other, "uplink=0,rxq=2"), ("rxq=2", "2 Rx queues"), ()),
            (vhost(other, "uplink=0,rxq=0"), ("rxq=0", VHOST), (accepted,)))):
        for order, vdevs in (("first", (*before, guest, uplink)), ("last", (uplink, *before, guest))):
            said, ports = with_command_line(bed, f"{order}{i}", vdevs)
            check_equal(ports, {UPLINK, *((VHOST,) if before else ())}, f"ports of {vdevs}")
            for word in words:
                check(word in said, f"{vdevs}: the message does not name {word!r}: {said}")
    said, ports = with_command_line(bed, "accepted", (accepted, uplink))
    check_equal(ports, {UPLINK, VHOST}, f"ports when all is well: {said}")


@test("uplink-comes-later")
def uplink_comes_later(bed):
    """A running switch adds its ports in any order, and one that could not have its queue gets it when it is free."""
    bed.need_iovtee()
    switch = Testpmd(bed, "switch", [], bed.plugins()).ready()
    other = "net_iovtee_vhost1"
    for devargs in (f"{VHOST},iface={bed.path('a')},uplink={UPLINK},trust=1",
                    f"{other},iface={bed.path('b')},uplink={UPLINK},trust=1", GOOD_UPLINK):
        output, refused = attach(switch, devargs, devargs.startswith(VHOST))
        check(not refused, f"{devargs}: {output}")
    ports = switch.telemetry.ports()
    switch.cmd(f"port start {ports[UPLINK]}")
    output = switch.cmd(f"port start {ports[other]}")
    check(VHOST in own_words(output) and not started(switch, other), f"a queue has two guests: {output}")
    switch.cmd(f"port stop {ports[VHOST]}")
    switch.cmd(f"port detach {ports[VHOST]}")
    output = switch.cmd(f"port start {ports[other]}")
    check(started(switch, other), f"the queue is not to be had: {output}")
    detach_all(switch)
    switch.quit()


@test("socket-in-use")
def socket_in_use(bed):
    """A path that another server listens on is refused and stays that server's; a plain file there
    is not removed; a socket that nobody serves any more is replaced."""
    bed.need_iovtee()
    switch = Testpmd(bed, "switch", [], bed.plugins()).ready()
    path = bed.path("nf.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(path)
        other.listen()
        output, refused = attach(switch, f"{VHOST},iface={path}", True)
        check(refused, "the socket of another server was taken")
        check(path in own_words(output), f"the message does not name {path}: {output}")
        detach_all(switch)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(path)
            other.settimeout(2)
            other.accept()[0].close()
    output, refused = attach(switch, f"{VHOST},iface={path}", True)
    check(not refused, f"a left-over socket was not replaced: {output}")
    detach_all(switch)
    check(not os.path.exists(path), f"{path} is left behind")
    with open(path, "w") as f:
        f.write("precious")
    output, refused = attach(switch, f"{VHOST},iface={path}", True)
    check(refused, "a plain file was taken for a socket")
    detach_all(switch)
    with open(path) as f:
        check_equal(f.read(), "precious", "the plain file")
    switch.quit()
