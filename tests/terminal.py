"""A terminal as its user sees it: what was written to it, and what it finally shows."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIMIT = 30.0
"""Seconds after which nothing more is expected; only reached by tests that fail."""


def screen(text: str) -> list[str]:
    """Return the lines that `text` leaves on a wide terminal, without blanks at the end."""
    lines: list[str] = []
    for row in text.split("\n"):
        shown, column = "", 0
        for part in re.split(r"(\r|\x1b\[K)", row):
            if part == "\r":
                column = 0
            elif part == "\x1b[K":
                shown = shown[:column]
            else:
                shown = shown[:column] + part + shown[column + len(part) :]
                column += len(part)
        lines.append(shown.rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


@dataclass
class Terminal:
    """A pseudo-terminal: `file` is the terminal, `master` the side of the person who uses it."""

    master: int
    file: int
    text: str = ""

    def read_until(self, pattern: str) -> None:
        """Read output until it matches somewhere after what was read before."""
        start = len(self.text)
        while not re.search(pattern, self.text[start:]):
            assert self._read(), f"{pattern!r} is not in {self.text!r}"

    def read_all(self) -> str:
        """Read until no process has the terminal open, and return all output."""
        self.leave()
        while self._read():
            pass
        return self.text

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.master, keys)

    def leave(self) -> None:
        """Close the terminal, so that only the program still has it open."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], LIMIT)
        assert ready, f"nothing more came after {self.text!r}"
        try:
            data = os.read(self.master, 65536)
        except OSError:
            # EIO: the other side is closed.
            return False
        self.text += data.decode(errors="replace")
        return bool(data)


@contextmanager
def terminal(columns: int = 80) -> Iterator[Terminal]:
    """Open a terminal of that width."""
    master, file = os.openpty()
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    opened = Terminal(master, file)
    try:
        yield opened
    finally:
        opened.leave()
        os.close(master)


def start(
    on: Terminal, argv: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    """Start a program in the foreground of the terminal, its standard output in a pipe."""
    return subprocess.Popen(
        ["setsid", "--ctty", "--wait", *argv],
        stdin=on.file,
        stdout=subprocess.PIPE,
        stderr=on.file,
        env=dict(environment),
        text=True,
    )
