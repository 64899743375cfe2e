"""The one door to other programs: bounded in time and output, the same on every machine.

A program gets no input, the C locale, and a session of its own. The terminal's ^C therefore does
not reach it: zipl, once it writes a boot record, is not to be stopped by a key. secboot waits for
it and acts on the interrupt afterwards (`secboot.checkpoint`). Where nobody holds
interrupts back, an interrupt ends the program and everything it started.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from secboot.errors import RefusedError
from secboot.named_tuple import NamedTuple
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from subprocess import Popen

    from secboot.system.root import Root

SEARCH_PATH = ("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/local/bin")
"""Where programs are looked for; the caller's PATH has no say in what runs as root."""

OUTPUT_LIMIT = 128 * 1024
"""Bytes kept of each of a program's two outputs: the first half and the last half of them."""

_GRACE = 5.0
_TICK = 0.1
_CHUNK = 65536


class ProgramError(RefusedError):
    """A program, named by `program`, is missing, can't be started, or took longer than it may."""

    def __init__(self, message: str, *, program: str, hint: str | None = None) -> None:
        super().__init__(f"{visible(program)}: {message}", hint=hint)


class Completed(NamedTuple):
    """A program that has ended.

    `status` is its exit status, or minus the number of the signal that ended it. The outputs are
    text as boot files are (UTF-8, ``surrogateescape``), which says where its middle was left out.
    `duration` is in seconds.
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    duration: float

    @property
    def succeeded(self) -> bool:
        """Whether the exit status is 0."""
        return self.status == 0


class Runner(Protocol):
    """Runs programs; a seam for tests and for machines that have other ways to run zipl."""

    def find(self, name: str) -> str | None:
        """The path of the program `name`, or None when there is none."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> Completed:
        """Run a program to its end, within `timeout` seconds.

        `argv[0]` is a name or an absolute path. `environment` is added to the small one that
        every program gets. `inherited` are open files that it keeps: with the lock's among them
        the lock outlives a killed secboot until the program has ended, too.
        Any exit status is a result. Raises `ProgramError`.
        """
        ...


class SystemRunner:
    """`Runner` for the programs of this machine. `search_path` are the directories to look in."""

    def __init__(
        self, search_path: Sequence[str] = SEARCH_PATH, output_limit: int = OUTPUT_LIMIT
    ) -> None:
        self._search_path = tuple(search_path)
        self._output_limit = output_limit

    def find(self, name: str) -> str | None:
        """See `Runner.find`; a name with a slash is taken as a path."""
        if "/" in name:
            return name if _is_program(name) else None
        candidates = (f"{directory}/{name}" for directory in self._search_path)
        return next(filter(_is_program, candidates), None)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> Completed:
        """See `Runner.run`."""
        program = self._path_of(argv[0])
        full = {"PATH": ":".join(self._search_path), "LC_ALL": "C", **(environment or {})}
        started = time.monotonic()
        process = _start((program, *argv[1:]), full, inherited)
        try:
            collected = _Collector(process, self._output_limit).collect(started + timeout)
        except BaseException:
            _end(process)
            raise
        finally:
            _close_pipes(process)
        duration = time.monotonic() - started
        if collected is None:
            _end(process)
            raise _timeout(argv[0], timeout)
        return Completed(tuple(argv), process.wait(), *collected, duration)

    def _path_of(self, name: str) -> str:
        found = self.find(name)
        if found is not None:
            return found
        if "/" in name and Path(name).exists():
            raise ProgramError(
                "this is no program that may be executed",
                program=name,
                hint="look at its mode (chmod +x), and whether its file system is mounted noexec",
            )
        raise ProgramError(
            "there is no such program",
            program=name,
            hint=f"looked for in {', '.join(self._search_path)}" if "/" not in name else None,
        )


def find_program(root: Root, name: str) -> str | None:
    """Return the path of a program inside the root, or None when it is not installed."""
    paths = (f"{directory}/{name}" for directory in SEARCH_PATH)
    return next((path for path in paths if root.is_readable(path)), None)


def _timeout(program: str, timeout: float) -> ProgramError:
    return ProgramError(
        f"still running after {timeout:g} seconds, so it was ended",
        program=program,
        hint="see what it waits for, or give it more time",
    )


def _is_program(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


def _start(
    argv: tuple[str, ...], environment: Mapping[str, str], inherited: Sequence[int]
) -> Popen[bytes]:
    # Costs start-up time, and most commands run no program.
    import subprocess  # noqa: PLC0415

    try:
        return subprocess.Popen(
            [os.fsencode(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            pass_fds=tuple(inherited),
        )
    except OSError as error:
        raise ProgramError(
            f"it can't be started: {error.strerror}",
            program=argv[0],
            hint="is it made for this machine, and is its interpreter there?",
        ) from error
    except ValueError as error:
        raise ProgramError("an argument holds a NUL character", program=argv[0]) from error


def _close_pipes(process: Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _end(process: Popen[bytes]) -> None:
    """End the program and all that it started in its session: politely first, then for certain."""
    import signal  # noqa: PLC0415
    from subprocess import TimeoutExpired  # noqa: PLC0415

    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(_GRACE)
        except TimeoutExpired:
            continue
    process.poll()


class _Kept:
    """The first and the last bytes of an output of any length."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - self._half
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def text(self) -> str:
        middle = b"\n[... %d bytes left out ...]\n" % self._dropped if self._dropped else b""
        return bytes(self._head + middle + self._tail).decode("utf-8", "surrogateescape")


class _Collector:
    """Reads both outputs of a program until it has ended."""

    def __init__(self, process: Popen[bytes], limit: int) -> None:
        self._process = process
        self._kept = (_Kept(limit), _Kept(limit))

    def collect(self, deadline: float) -> tuple[str, str] | None:
        """Both outputs; None when the time is over."""
        from subprocess import TimeoutExpired  # noqa: PLC0415

        if not self._read_all(deadline):
            return None
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except TimeoutExpired:
            return None
        return self._kept[0].text(), self._kept[1].text()

    def _read_all(self, deadline: float) -> bool:
        """Read until both outputs are closed, or the program has ended; False when time is over."""
        import selectors  # noqa: PLC0415

        pipes = [pipe for pipe in (self._process.stdout, self._process.stderr) if pipe is not None]
        with selectors.DefaultSelector() as selector:
            for pipe, kept in zip(pipes, self._kept, strict=True):
                selector.register(pipe, selectors.EVENT_READ, kept)
            while selector.get_map():
                if time.monotonic() >= deadline:
                    return False
                ready = selector.select(min(_TICK, max(0.0, deadline - time.monotonic())))
                for key, _ in ready:
                    data = os.read(key.fd, _CHUNK)
                    key.data.add(data)
                    if not data:
                        selector.unregister(key.fileobj)
                if not ready and self._process.poll() is not None:
                    # A daemon that the program left behind holds the outputs open.
                    break
        return True
