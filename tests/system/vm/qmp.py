# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's machine protocol: one JSON object a line, commands, replies and events in one stream."""
import json
import socket
import time

from harness.errors import Failure
from harness.process import wait_until

REPLY_SECONDS = 20


def connect(path):
    """To a socket that QEMU serves, as soon as it does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    wait_until(lambda: not connection.connect_ex(path), 5, f"QEMU to open {path}")
    return connection


class Qmp:
    def __init__(self, path):
        self._socket = connect(path)
        self._socket.settimeout(REPLY_SECONDS)
        self._lines = self._socket.makefile()
        self._events = []
        self._read()  # the greeting
        self.ask("qmp_capabilities")

    def _read(self):
        try:
            line = self._lines.readline()
        except TimeoutError:
            raise Failure(f"QEMU: nothing on its QMP socket within {REPLY_SECONDS} s") from None
        if not line:
            raise Failure("QEMU closed its QMP socket")
        return json.loads(line)

    def ask(self, command, **arguments):
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            reply = self._read()
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise Failure(f"QEMU: {command}: {reply['error']['desc']}")
            self._events.append(reply)

    def wait_event(self, name, seconds, **data):
        """An event that has these data, of the past or still to come."""
        end = time.monotonic() + seconds
        while True:
            for event in self._events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self._events.remove(event)
                    return event
            if time.monotonic() > end:
                raise Failure(f"QEMU: no event {name} within {seconds:g} s")
            self.ask("query-status")  # events come with its reply
            time.sleep(0.02)

    def close(self):
        self._socket.close()
