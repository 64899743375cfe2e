"""The commands to type when a change cannot be rolled back.

They act on the root in use, whatever root the record names: a disk may be mounted elsewhere by now,
and a record may come with a hostile image. For the same reason they name no file that is reached by a
symbolic link, because tar and rm would follow it out of the tree, and use no archive that holds anything but
the files of the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.rollback_report import state_when_stuck
from secboot.checkpoint.store import BEFORE
from secboot.errors import StuckError
from secboot.system.file_errors import FileError
from secboot.visible import shell_word, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.checkpoint.access import WriteAccess
    from secboot.checkpoint.record import Checkpoint, SavedFile
    from secboot.errors import SecbootError
    from secboot.system.root import Root

_LABEL = "security.selinux"


def stuck(
    access: WriteAccess,
    checkpoint: Checkpoint,
    error: SecbootError,
    *,
    files_restored: bool = False,
) -> StuckError:
    """Return the error for a change that cannot be rolled back because of `error`; enter the state.

    With `files_restored` only the boot record is not as before.
    """
    access.ledger.expect(state_when_stuck(access, files_restored=files_restored))
    again = access.invocation.command("rollback")
    hint = [] if error.hint is None else [error.hint]
    if not files_restored:
        hint.append(f"the old files are in {visible(checkpoint.shown)}")
    hint.append(f"remove the cause, then run: {again}")
    by_hand = commands_by_hand(access, checkpoint, files_restored=files_restored)
    if by_hand:
        what = "write the boot record" if files_restored else "restore them"
        hint += [f"or {what} by hand:", *(f"  {command}" for command in by_hand)]
    return StuckError(f"ROLLBACK FAILED: {error}", hint="\n".join(hint))


def commands_by_hand(
    access: WriteAccess, checkpoint: Checkpoint, *, files_restored: bool = False
) -> tuple[str, ...]:
    """Return the shell commands that restore what the checkpoint saved, and write the boot record last.

    With `files_restored` only the settings and the boot record are left to restore.
    """
    root = access.root
    left = () if files_restored else checkpoint.record.files
    files = [each for each in left if _is_direct(root, each.path)]
    saved = [file for file in files if file.before is not None]
    if not access.store.holds_what_it_says(checkpoint):
        saved = []
    added = [shell_word(root.shown(file.path)) for file in files if file.before is None]
    settings = checkpoint.record.settings if access.is_setting is not None else ()
    return (
        *(f"echo {shell_word(each.before)} > {shell_word(each.path)}" for each in settings),
        *([_unpack(root, checkpoint, saved)] if saved else []),
        *(_labels(root, saved)),
        *([f"rm -f -- {' '.join(added)}"] if added else []),
        *([] if access.by_hand is None else [access.by_hand]),
    )


def _is_direct(root: Root, path: str) -> bool:
    """Whether no symbolic link is on the path, or at its end."""
    try:
        return root.real_path(path) == path and root.link_target(path) is None
    except FileError:
        return False


def _unpack(root: Root, checkpoint: Checkpoint, saved: Sequence[SavedFile]) -> str:
    all_saved = [file for file in checkpoint.record.files if file.before is not None]
    members = "" if len(saved) == len(all_saved) else " --"
    if members:
        members += "".join(f" {shell_word(file.path[1:])}" for file in saved)
    archive = shell_word(f"{checkpoint.shown}/{BEFORE}")
    return f"tar -xpf {archive} -C {shell_word(root.base)}{members}"


def _labels(root: Root, saved: Sequence[SavedFile]) -> Iterator[str]:
    """Yield the commands that restore SELinux labels, which a tar archive does not hold."""
    labels = [
        (shell_word(root.shown(file.path)), value)
        for file in saved
        if file.before is not None
        for name, value in file.before.attributes.xattrs
        if name == _LABEL
    ]
    if root.base == "/" and labels:
        yield f"restorecon {' '.join(path for path, _ in labels)}"
    elif labels:
        # The policy of this system may differ from that of the tree, so the saved labels are set.
        yield from (f"setfattr -n {_LABEL} -v 0x{value.hex()} {path}" for path, value in labels)
