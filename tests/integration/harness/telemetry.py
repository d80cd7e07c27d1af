# SPDX-License-Identifier: BSD-3-Clause
"""Client of DPDK's telemetry socket (lib/telemetry: SOCK_SEQPACKET, one JSON reply a request)."""
import json
import os
import socket
import threading

from .errors import Failure
from .process import wait_until


def _find(runtime):
    for folder, _, names in os.walk(runtime):
        if "dpdk_telemetry.v2" in names:
            return os.path.join(folder, "dpdk_telemetry.v2")
    return None


class Telemetry:
    """Of the one DPDK process that runs with RUNTIME_DIRECTORY=runtime. One connection a process: DPDK parses the
    requests of all of them with strtok(), each on a thread of its own."""

    def __init__(self, runtime, seconds=10):
        path = wait_until(lambda: _find(runtime), seconds, f"telemetry socket below {runtime}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(seconds)
        self._lock = threading.Lock()
        try:
            self._socket.connect(path)
            hello = json.loads(self._socket.recv(1024))
        except OSError as error:
            self._socket.close()
            raise Failure(f"telemetry {path}: {error}") from None
        self._size = hello["max_output_len"]

    def ask(self, command, *params):
        request = ",".join([command, *map(str, params)])
        try:
            with self._lock:
                self._socket.send(request.encode())
                reply = json.loads(self._socket.recv(self._size + 1024))
        except (OSError, ValueError) as error:
            raise Failure(f"telemetry: no answer to {request}: {error}") from None
        if command not in reply:
            raise Failure(f"telemetry: no reply to {request}: {reply}")
        return reply[command]

    def ports(self):
        """Ids of the ports that nobody owns, by name."""
        return {self.ask("/ethdev/info", port)["name"]: port for port in self.ask("/ethdev/list")}

    def close(self):
        self._socket.close()


class DpdkPorts:
    """For classes that run a DPDK process with RUNTIME_DIRECTORY=self.runtime."""
    runtime = None
    _telemetry = None

    @property
    def telemetry(self):
        if self._telemetry is None:
            self._telemetry = Telemetry(self.runtime)
        return self._telemetry

    def hang_up(self):
        if self._telemetry is not None:
            self._telemetry.close()
            self._telemetry = None

    def port(self, name):
        ports = self.telemetry.ports()
        if name not in ports:
            raise Failure(f"there is no port {name}, only {', '.join(ports) or 'none'}")
        return ports[name]

    def stats(self, name):
        return self.telemetry.ask("/ethdev/stats", self.port(name))

    def xstats(self, name):
        return self.telemetry.ask("/ethdev/xstats", self.port(name))
