"""What to do by hand when a change can't be rolled back.

The commands act on the root in use, whatever root the record names: a disk may be mounted elsewhere
by now, and a record may come with a hostile image. For the same reason they name no file that a
symbolic link leads to, since tar and rm would follow one out of the tree, and use no archive that
holds anything but the files of the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def stuck(access: WriteAccess, checkpoint: Checkpoint, error: SecbootError) -> StuckError:
    """The error for a change that can't be rolled back because of `error`."""
    again = access.invocation.command("rollback")
    return StuckError(
        f"ROLLBACK FAILED: {error}",
        hint="\n".join(
            [
                *([error.hint] if error.hint else []),
                f"the old files are in {visible(checkpoint.shown)}",
                f"remove the cause, then run: {again}",
                "or restore them by hand:",
                *(f"  {command}" for command in commands_by_hand(access, checkpoint)),
            ]
        ),
    )


def commands_by_hand(access: WriteAccess, checkpoint: Checkpoint) -> tuple[str, ...]:
    """The shell commands that put back what the checkpoint saved, and write the boot record last."""
    root = access.root
    files = [each for each in checkpoint.record.files if _is_direct(root, each.path)]
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
    """Whether the path in the tree is the place itself, and leads nowhere else."""
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
    """What gives files their SELinux labels again, which no tar archive holds."""
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
        # The policy here may be another than that of the tree: it gets the labels that it had.
        yield from (f"setfattr -n {_LABEL} -v 0x{value.hex()} {path}" for path, value in labels)
