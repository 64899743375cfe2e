"""The one way in which files of a machine change: under the lock, checked, committed, verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.apply.candidate import check_candidates
from secboot.checkpoint.transaction import FileChange, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secboot.apply.zipl import Zipl, ZiplRun
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Audit
    from secboot.machine.discovery import Machine


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that is complete. `zipl` is its run of zipl, None when that is left pending."""

    checkpoint: str
    zipl: ZiplRun | None


def change_files(
    access: WriteAccess,
    changes: Sequence[FileChange],
    audit: Audit,
    *,
    zipl: Zipl | None,
    machine: Machine | None,
    verify: Callable[[], None],
    needs_commit: bool = True,
) -> Changed:
    """Replace the files, write the boot record, and make sure of the result.

    Where `zipl` can run, it checks the candidates first (with what is known of the `machine`),
    and writes the boot record afterwards, unless nothing that it reads changes (`needs_commit`
    False). `verify` raises when the files do not say what they should. On any failure everything
    is put back (`Transaction`).
    """
    if not needs_commit:
        zipl = None
    if zipl is not None and zipl.is_direct and machine is not None:
        check_candidates(access.root, zipl, machine, _contents(changes))
    with Transaction.begin(access, changes, audit) as transaction:
        transaction.write_files()
        run = None
        if zipl is not None:
            transaction.committing()
            run = zipl.install(access.lock.inherited)
        verify()
        pending = "pending" if needs_commit else "not-needed"
        transaction.done({"zipl": pending if run is None else run.facts()})
        return Changed(transaction.checkpoint, run)


def _contents(changes: Sequence[FileChange]) -> dict[str, bytes]:
    found = {}
    for change in changes:
        if change.after is not None:
            found[change.path] = change.after
            found[change.named or change.path] = change.after
    return found
