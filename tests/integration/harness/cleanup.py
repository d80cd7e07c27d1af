# SPDX-License-Identifier: BSD-3-Clause
"""What a test has to undo, newest first, however it ends."""
import sys


class Cleanup:
    def __init__(self):
        self._todo = []

    def push(self, function, *args):
        self._todo.append((function, args))

    def run(self):
        """Undo everything; one step that fails does not keep the others from being done."""
        while self._todo:
            function, args = self._todo.pop()
            try:
                function(*args)
            except Exception as error:
                print(f"cleanup: {function.__qualname__}: {error}", file=sys.stderr)
