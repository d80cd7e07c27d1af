# SPDX-License-Identifier: BSD-3-Clause
"""Real mixed traffic, recorded by ourselves: two network namespaces joined by a veth pair, real
sockets on both ends, an AF_PACKET socket on the wire.

The namespaces have no name: each belongs to one process and ends with it."""
import array
import errno
import fcntl
import functools
import http.server
import os
import random
import socket
import struct
import subprocess
import threading
import time
import traceback
import urllib.request

from . import pcap
from .errors import Failure
from .linux import CLONE_NEWNET, die_with_parent, unshare

CLIENT, SERVER = ("iovtee-a", "10.99.0.1"), ("iovtee-b", "10.99.0.2")
TCP_PORT, UDP_PORT, DNS_PORT, HTTP_PORT = 5001, 5002, 53, 80
SHORTEST, LONGEST = 60, 1514
LEAST_FRAMES = 10000

ETH_P_ALL = 3
ETH_HEADER, IP_UDP_HEADERS = 14, 28
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
SIOCETHTOOL = 0x8946
# Checksums, scatter-gather, TSO, GSO and GRO off: what is recorded is what a wire would have.
ETHTOOL_OFF = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)


def offloads_off(ifname, strict=True):
    """strict: an interface that refuses is an error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in ETHTOOL_OFF:
            value = array.array("I", [command, 0])
            request = struct.pack("16sP", ifname.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(s, SIOCETHTOOL, request)
            except OSError as error:
                if strict or error.errno != errno.EOPNOTSUPP:
                    raise


def _ip(*args):
    subprocess.run(["ip", *args], check=True)


def _link_up(end):
    ifname, address = end
    offloads_off(ifname)
    _ip("address", "add", address + "/24", "dev", ifname)
    _ip("link", "set", ifname, "up")
    _ip("link", "set", "lo", "up")


class _Http(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = random.Random(self.path).randbytes(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def _tcp_sink(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(65536):
                pass


def _udp_echo(s, size):
    """Answer every datagram with one of size(len) bytes."""
    while True:
        data, peer = s.recvfrom(2048)
        s.sendto(data[:2] + random.randbytes(max(size(len(data)) - 2, 0)), peer)


def _serve():
    """The server's side; runs until the process is killed."""
    listener = socket.create_server((SERVER[1], TCP_PORT))
    udp, dns = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    udp.bind((SERVER[1], UDP_PORT))
    dns.bind((SERVER[1], DNS_PORT))
    web = http.server.ThreadingHTTPServer((SERVER[1], HTTP_PORT), _Http)
    for function, args in ((_tcp_sink, (listener,)), (web.serve_forever, ()),
                           (_udp_echo, (udp, lambda n: n)),
                           (_udp_echo, (dns, lambda n: n + random.randint(16, 400)))):
        threading.Thread(target=function, args=args, daemon=True).start()


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _ping(count):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.settimeout(10)
        for i in range(count):
            data = random.randbytes(2 * random.randint(4, 700))
            head = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, i)
            head = head[:2] + struct.pack("!H", _checksum(head + data)) + head[4:]
            s.sendto(head + data, (SERVER[1], 0))
            s.recv(2048)


def _udp_flows(sizes):
    """Datagrams whose frames have these sizes, each echoed at its size, over several flows."""
    flows = []
    for _ in range(16):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(10)
        s.connect((SERVER[1], UDP_PORT))
        flows.append(s)
    for first in range(0, len(sizes), len(flows)):
        burst = list(zip(flows, sizes[first:first + len(flows)]))
        for s, size in burst:
            s.send(random.randbytes(size - ETH_HEADER - IP_UDP_HEADERS))
        for s, _ in burst:
            s.recv(2048)


def _dns_like(count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.connect((SERVER[1], DNS_PORT))
        for _ in range(count):
            s.send(random.randbytes(random.randint(24, 64)))
            s.recv(2048)


def _http_gets(count):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(count):
        size = random.randint(0, 20000)
        with opener.open(f"http://{SERVER[1]}/{size}", timeout=20) as reply:
            if len(reply.read()) != size:
                raise Failure("HTTP reply cut")


def _tcp_bulk(size):
    with socket.create_connection((SERVER[1], TCP_PORT), timeout=20) as s:
        s.sendall(random.randbytes(size))
        s.shutdown(socket.SHUT_WR)
        s.recv(1)


def _arp(count):
    """Have the kernel resolve the server again and again (every request a broadcast frame)."""
    for _ in range(count):
        _ip("neighbour", "flush", "dev", CLIENT[0])
        _ping(1)


def _traffic():
    sizes = [SHORTEST, LONGEST] * 16 + [random.randint(SHORTEST, LONGEST) for _ in range(2200)]
    jobs = [functools.partial(_udp_flows, sizes), functools.partial(_tcp_bulk, 6 << 20),
            functools.partial(_http_gets, 60), functools.partial(_dns_like, 400),
            functools.partial(_ping, 150)]
    errors = []

    def work(job):
        try:
            job()
        except Exception as error:
            errors.append(f"{job.func.__name__}: {error!r}")
    _arp(20)  # before the rest: a flush drops what waits for the reply
    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise Failure("traffic: " + "; ".join(errors))


def _listen(ifname):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 512 << 20)
    s.bind((ifname, ETH_P_ALL))
    s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # ENETDOWN: the link is not up yet
    return s


def _drain(s):
    frames = []
    s.setblocking(False)
    try:
        while True:
            frames.append(s.recv(65536))
    except BlockingIOError:
        pass
    _, drops = struct.unpack("II", s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    if drops:
        raise Failure(f"capture: the kernel dropped {drops} frames")
    return [frame.ljust(SHORTEST, b"\0") for frame in frames]


def _in_fork(function, *args):
    """Run function in a child process that ends with us; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent()
        function(*args)
        status = 0
    except BaseException:
        traceback.print_exc()
    os._exit(status)


def _server_process(ready, go):
    unshare(CLONE_NEWNET)
    os.write(ready, b"1")
    os.read(go, 1)
    _link_up(SERVER)
    _serve()
    os.write(ready, b"2")
    threading.Event().wait()


def _client_process(path):
    unshare(CLONE_NEWNET)
    ready, ready_server = os.pipe()
    go_server, go = os.pipe()
    server = _in_fork(_server_process, ready_server, go_server)
    os.read(ready, 1)
    _ip("link", "add", CLIENT[0], "type", "veth", "peer", "name", SERVER[0], "netns", str(server))
    wire = _listen(CLIENT[0])
    os.write(go, b"1")
    _link_up(CLIENT)
    os.read(ready, 1)
    _traffic()
    pcap.write(path, _drain(wire))


def record(path, seconds=60):
    """Record real traffic into path."""
    pid = _in_fork(_client_process, path)
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            raise Failure(f"capture: not done within {seconds} s")
        time.sleep(0.05)
    if status:
        raise Failure("capture: the recording process failed, see above")
    frames = pcap.read(path)
    sizes = sorted(map(len, frames))
    if len(frames) < LEAST_FRAMES or sizes[0] != SHORTEST or sizes[-1] != LONGEST:
        raise Failure(f"capture: {len(frames)} frames of {sizes[0]} to {sizes[-1]} bytes are not "
                      f"{LEAST_FRAMES} of {SHORTEST} to {LONGEST}")
    return frames


def to_one_host(frames, mac):
    """The same frames as a switch would send them to one host: unicast frames go to its MAC."""
    return [mac + frame[6:] if pcap.is_unicast(frame) else frame for frame in frames]
