# SPDX-License-Identifier: Apache-2.0
"""A terminal for the tests: what programs do only there."""
import os
import pty
import re
import select
import time


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, folder=None, **env):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder or ".")
            os.execvpe(argv[0], [str(a) for a in argv], {**os.environ, "TERM": "xterm", **env})

    def read(self, until=None, seconds=10):
        """What it prints until a pattern comes, or it ends."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and re.search(until, self.text)):
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:  # EIO: the other side is closed
                    break
                if not data:
                    break
                self.text += data.decode(errors="replace")
        assert not until or re.search(until, self.text), self.text
        return self.text

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
