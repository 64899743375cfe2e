"""Following a plan of any kind: planned without the lock, and again under it, then carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from secboot.apply.change import Changed
from secboot.progress import Phase
from secboot.system.file_errors import ChangedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.apply.change import ManagedRoot
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.recovery import RecoveryReport
    from secboot.lines.changes import Command
    from secboot.machine.discovery import Machine
    from secboot.system.files import FileChange

_ATTEMPTS = 5
"""How often a plan is made if files change between planning and writing."""


class Followable(Protocol):
    """What every plan has: the files to write, and the programs that put them into effect."""

    @property
    def files(self) -> tuple[FileChange, ...]:
        """The files with their new contents."""
        ...

    @property
    def commands(self) -> tuple[Command, ...]:
        """The programs that must run."""
        ...

    def require_applicable(self) -> None:
        """Raise RefusedError if it must not be followed."""
        ...


P = TypeVar("P", bound=Followable)


def follow_plan(
    managed: ManagedRoot,
    make_plan: Callable[[Machine], P],
    follow: Callable[[WriteAccess, Machine, P], Changed],
    agree: Callable[[P], None] = lambda _: None,
    begin: Callable[[P], None] = lambda _: None,
    ask: Callable[[P], None] = lambda _: None,
) -> tuple[P, Changed, tuple[RecoveryReport, ...]]:
    """Make a plan and `follow` it; return both, and what was recovered first.

    The plan is made once without the lock, so that nothing is written to a machine that needs no change,
    and again under the lock. `agree` raises if a plan differs from the one that was agreed to. `ask` gets
    the first plan if there is something to do, before the lock is taken, and `begin` gets the plan that
    is about to be followed; whatever they raise stops it.
    """
    first = make_plan(managed.discover())
    unfinished = managed.has_remains()
    if not unfinished:
        # Otherwise the machine is between two states, and the plan may change after the recovery.
        agree(first)
    first.require_applicable()
    due = first.files or (first.commands and managed.zipl is not None)
    if not due and not unfinished:
        return first, Changed(None, None), ()
    if managed.zipl is not None and (first.commands or unfinished):
        managed.zipl.require_available(managed.root)
    ask(first)
    with managed.write_access() as access:
        recovered = managed.recover(access)
        with managed.telling(recovered):
            plan, done = _follow_under_lock(managed, access, make_plan, follow, agree, begin)
    return plan, done, recovered


def _follow_under_lock(
    managed: ManagedRoot,
    access: WriteAccess,
    make_plan: Callable[[Machine], P],
    follow: Callable[[WriteAccess, Machine, P], Changed],
    agree: Callable[[P], None],
    begin: Callable[[P], None],
) -> tuple[P, Changed]:
    """Make the plan and follow it; repeat this if files change before anything is written."""
    begun: P | None = None
    for attempt in range(1, _ATTEMPTS + 1):
        machine = managed.discover(Phase.READING_AGAIN)
        plan = make_plan(machine)
        agree(plan)
        plan.require_applicable()
        if plan != begun:
            begin(plan)
        begun = plan
        try:
            return plan, follow(access, machine, plan)
        except ChangedError:
            # Another program is running, for example the installation of a kernel; nothing was changed yet.
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError
