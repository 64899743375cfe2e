"""The only way to run other programs: limited in time and output, and the same on every machine.

A program gets no input, the C locale, and a separate session. So ^C on the terminal does not reach it:
a key must not stop zipl while it writes a boot record. secboot waits for it and acts on the signal
afterwards (`secboot.checkpoint`). Where signals are not held back, a signal ends the program and
everything that it started.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from secboot.errors import RefusedError
from secboot.named_tuple import NamedTuple
from secboot.system.program_search import SEARCH_PATH
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from subprocess import Popen

OUTPUT_LIMIT = 128 * 1024
"""How many bytes of each of a program's two outputs are kept: half from the start, half from the end."""

_GRACE = 5.0
_TICK = 0.1
_CHUNK = 65536


class ProgramError(RefusedError):
    """A program, named by `program`, was not found, cannot be started, or timed out."""

    def __init__(self, message: str, *, program: str, hint: str | None = None) -> None:
        super().__init__(f"{visible(program)}: {message}", hint=hint)


class Completed(NamedTuple):
    """A program that has ended.

    `status` is its exit status, or minus the number of the signal that killed it. The outputs are strings
    like those of boot files (UTF-8, ``surrogateescape``), and show where their middle was left out.
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
    """Runs programs; an interface for tests, and for machines on which zipl runs differently."""

    def find(self, name: str) -> str | None:
        """Return the path of the program `name`; None if it was not found."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        environment: Mapping[str, str] | None = None,
        inherited: Sequence[int] = (),
    ) -> Completed:
        """Run a program until it ends, for at most `timeout` seconds.

        `argv[0]` is a name or an absolute path. `environment` is added to the small environment that every
        program gets. The program inherits the open files `inherited`: with that of the lock, the lock of
        a killed secboot is held until the program has also ended. Any exit status is a result. Raises
        `ProgramError`.
        """
        ...


class SystemRunner:
    """A `Runner` for the programs of this machine, which are searched in `search_path`."""

    def __init__(
        self, search_path: Sequence[str] = SEARCH_PATH, output_limit: int = OUTPUT_LIMIT
    ) -> None:
        self._search_path = tuple(search_path)
        self._output_limit = output_limit

    def find(self, name: str) -> str | None:
        """See `Runner.find`; a name with a slash is a path."""
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
            # In a tree, it is not chroot that hangs.
            raise _timeout(argv[2] if argv[0] == "chroot" else argv[0], timeout)
        return Completed(tuple(argv), process.wait(), *collected, duration)

    def _path_of(self, name: str) -> str:
        found = self.find(name)
        if found is not None:
            return found
        if "/" in name and Path(name).exists():
            raise ProgramError(
                "not an executable program",
                program=name,
                hint="check its mode (chmod +x), and whether its file system is mounted noexec",
            )
        raise ProgramError(
            "command not found",
            program=name,
            hint=f"searched in {', '.join(self._search_path)}" if "/" not in name else None,
        )


def _timeout(program: str, timeout: float) -> ProgramError:
    return ProgramError(
        f"timed out after {timeout:g} s and was killed",
        program=program,
        hint="find out what it is waiting for, or raise --zipl-timeout",
    )


def _is_program(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


def _start(
    argv: tuple[str, ...], environment: Mapping[str, str], inherited: Sequence[int]
) -> Popen[bytes]:
    # The import costs start-up time, and most commands run no program.
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
            f"cannot be started: {error.strerror}",
            program=argv[0],
            hint="is it built for this architecture, and is its interpreter installed?",
        ) from error
    except ValueError as error:
        raise ProgramError("an argument contains a NUL character", program=argv[0]) from error


def _close_pipes(process: Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _end(process: Popen[bytes]) -> None:
    """End the program and everything in its session: first with SIGTERM, then with SIGKILL."""
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
    """Reads both outputs of a program until it ends."""

    def __init__(self, process: Popen[bytes], limit: int) -> None:
        self._process = process
        self._kept = (_Kept(limit), _Kept(limit))

    def collect(self, deadline: float) -> tuple[str, str] | None:
        """Return both outputs; None if the time is over."""
        from subprocess import TimeoutExpired  # noqa: PLC0415

        if not self._read_all(deadline):
            return None
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except TimeoutExpired:
            return None
        return self._kept[0].text(), self._kept[1].text()

    def _read_all(self, deadline: float) -> bool:
        """Read until both outputs are closed or the program has ended; False if the time is over."""
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
                    # A daemon that the program started keeps the outputs open.
                    break
        return True
