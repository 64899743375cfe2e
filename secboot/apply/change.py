"""The one way in which files of a machine change: under the lock, checked, committed, verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.apply.candidate import check_candidates
from secboot.checkpoint.transaction import Transaction
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secboot.apply.zipl import Zipl, ZiplRun
    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Audit, Checkpoint
    from secboot.machine.discovery import Machine
    from secboot.system.files import FileChange


class Changed(NamedTuple):
    """A change that is complete. `zipl` is its run of zipl, None when that is left pending."""

    checkpoint: str
    zipl: ZiplRun | None


class Order(NamedTuple):
    """A change that is to be made, and how to be sure of it.

    `machine` is what was found, for the check of the candidates; None leaves that out. `verify`
    raises when the files do not say what they should. `needs_commit` is False where nothing
    changes that the boot record is made of.
    """

    changes: tuple[FileChange, ...]
    audit: Audit
    machine: Machine | None
    verify: Callable[[], None]
    needs_commit: bool = True


def change_files(
    access: WriteAccess, order: Order, zipl: Zipl | None, log: Callable[[Checkpoint], None]
) -> Changed:
    """Replace the files, write the boot record, and make sure of the result.

    Where `zipl` can run and is needed, it checks the candidates first and writes the boot record
    afterwards. On any failure everything is put back (`Transaction`). However it ends, `log`
    gets the checkpoint.
    """
    if not order.needs_commit:
        zipl = None
    if zipl is not None and zipl.is_direct and order.machine is not None:
        new = _contents(order.changes)
        check_candidates(access.root, zipl, order.machine, new, access.progress)
    transaction = Transaction.begin(access, order.changes, order.audit)
    try:
        with transaction:
            transaction.write_files()
            run = None
            if zipl is not None:
                transaction.committing()
                run = zipl.install(access.lock.inherited)
            order.verify()
            pending = "pending" if order.needs_commit else "not-needed"
            transaction.done({"zipl": pending if run is None else run.facts()})
        return Changed(transaction.checkpoint.id, run)
    finally:
        log(transaction.checkpoint)


def _contents(changes: Sequence[FileChange]) -> dict[str, bytes]:
    found = {}
    for change in changes:
        if change.after is not None:
            found[change.path] = found[change.real_path] = change.after
    return found
