"""Run secboot in this process and report how long each part of the run took.

    python -I timed.py FILE WORD...

FILE gets a JSON object: seconds of wall time by part, each moment in one part only. It knows nothing
of the other modules of the benchmark, so that nothing but secboot is imported.
"""

from __future__ import annotations

import builtins
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

FUNCTIONS = {
    "secboot.machine.profile_files:read_profile": "profile",
    "secboot.machine.discovery:discover": "reading",
    "secboot.zipl.configuration:interpret": "zipl's reading",
    "secboot.plan.planner:make_plan": "planning",
    "secboot.status.assess:assess": "stages",
    "secboot.cli.plan:print_plan": "text",
    "secboot.report.show:show_text": "text",
    "secboot.report.status:status_text": "text",
    "secboot.checkpoint.transaction:Transaction.begin": "files",
    "secboot.checkpoint.transaction:Transaction.write_files": "files",
    "secboot.checkpoint.transaction:Transaction.done": "files",
    "os:fsync": "syncs",
    "os:fdatasync": "syncs",
}
"""What counts as a separate part, by module and name; everything else belongs to the part that calls it."""
REST = "command line"
"""Creating the verb and parsing the arguments, and what is in no other part."""


class Clock:
    """Attributes each moment to the part that is running."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.running = [REST]
        self._since = time.perf_counter()

    def begin(self, part: str) -> None:
        """Let `part` run until `end`."""
        self._note()
        self.running.append(part)

    def end(self) -> None:
        """Let the part before go on."""
        self._note()
        self.running.pop()

    def _note(self) -> None:
        now = time.perf_counter()
        part = self.running[-1]
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._since
        self._since = now


CLOCK = Clock()
_pending = dict(FUNCTIONS)
_import = builtins.__import__


def timed_import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - the names that __import__ has
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """Import, and time what was requested as soon as it is imported."""
    if name in sys.modules:
        return _import(name, globals, locals, fromlist, level)
    library = {"typer": "Typer", "ruamel": "YAML"}.get(name.partition(".")[0])
    inside = CLOCK.running[-1] in {"Typer", "YAML"}
    CLOCK.begin(CLOCK.running[-1] if inside else library or "imports")
    try:
        return _import(name, globals, locals, fromlist, level)
    finally:
        CLOCK.end()
        _wrap_what_is_there()


def _wrap_what_is_there() -> None:
    for target in list(_pending):
        module, _, path = target.partition(":")
        *holders, name = path.split(".")
        holder = sys.modules.get(module)
        for each in holders:
            holder = getattr(holder, each, None)
        if holder is not None and name in vars(holder):
            found = vars(holder)[name]
            part = _pending.pop(target)
            if isinstance(found, classmethod):
                setattr(holder, name, classmethod(_timed(found.__func__, part)))
            else:
                setattr(holder, name, _timed(found, part))


def _timed(function: Callable[..., object], part: str) -> Callable[..., object]:
    def run(*arguments: object, **options: object) -> object:
        CLOCK.begin(part)
        try:
            return function(*arguments, **options)
        finally:
            CLOCK.end()

    return run


def main() -> int:
    """Run secboot with the arguments after the file name."""
    file = sys.argv[1]
    sys.argv[:2] = ["secboot"]
    builtins.__import__ = timed_import
    from secboot.cli import main as secboot  # noqa: PLC0415 - what is timed

    code = secboot()
    builtins.__import__ = _import
    CLOCK.begin(REST)
    text = ", ".join(f'"{part}": {seconds:.9f}' for part, seconds in CLOCK.seconds.items())
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, f"{{{text}}}\n".encode())
    os.close(descriptor)
    return code


if __name__ == "__main__":
    sys.exit(main())
