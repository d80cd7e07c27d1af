# SPDX-License-Identifier: BSD-3-Clause
"""Who is there first: the switch or the guest's side of the socket."""
import socket
import struct

from harness.errors import check_equal
from harness.pvp import VHOST
from harness.registry import test
from harness.testpmd import Testpmd

GET_FEATURES, VERSION, REPLY = 1, 1, 1 << 2


def ask_features(connection):
    """A vhost-user exchange, which shows that the back end has accepted the connection."""
    connection.sendall(struct.pack("=III", GET_FEATURES, VERSION, 0))
    request, flags, size = struct.unpack("=III", connection.recv(12, socket.MSG_WAITALL))
    check_equal((request, flags & REPLY, size), (GET_FEATURES, REPLY, 8), "reply's header")
    return struct.unpack("=Q", connection.recv(8, socket.MSG_WAITALL))[0]


@test("client-finds-guest")
def client_finds_guest(bed):
    """client=1 with a guest that waits already: the connection comes while the port is being created, and
    librte_vhost makes no second attempt if it is refused then."""
    bed.need_iovtee()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.settimeout(10)
        server.bind(bed.path("nf.sock"))
        server.listen()
        switch = Testpmd(bed, "switch", [f"{VHOST},iface={bed.path('nf.sock')},client=1"],
                         bed.plugins(), app=["--nb-ports=1"]).ready()
        for _ in range(2):  # after the first connection is lost it connects again
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                ask_features(connection)
                state = switch.telemetry.ask("/iovtee/vhost", switch.port(VHOST))
                check_equal(state["connected"], 1, "connected")
    switch.quit()
