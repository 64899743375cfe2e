"""Small boot trees, the changes made to them, and what must be true of them at any moment.

A replacement for zipl writes ``/boot/bootmap``: the digest of the boot files that it found. So a test can
see whether the boot record matches the files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secboot.checkpoint.access import WriteAccess, write_access
from secboot.checkpoint.checksum import with_checksum
from secboot.checkpoint.journal import State, format_journal, parse_journal
from secboot.checkpoint.record import Action, Actor, Audit
from secboot.checkpoint.recovery import recover
from secboot.checkpoint.rollback import way_back
from secboot.checkpoint.settings import Moment, Setting
from secboot.checkpoint.state_directory import StateDirectory
from secboot.checkpoint.transaction import Transaction
from secboot.checkpoint.undo import newest_apply
from secboot.errors import ExitCode, Ledger, RefusedError, SecbootError, StateKind
from secboot.running.system import BOOT_ID
from secboot.system.files import FileChange
from secboot.system.root import Root

BOOT_RECORD = "boot/bootmap"
STATE = "var/lib/secboot"
CHECKPOINT = f"{STATE}/checkpoints/1"


@dataclass(frozen=True)
class Scene:
    """A tree before and after a change; text by path inside it, None for "no such file"."""

    name: str
    before: dict[str, str | None]
    after: dict[str, str | None]
    links: dict[str, str] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    setting: Setting | None = None

    def make(self, tree: Path) -> None:
        for path, text in self.before.items():
            file = tree / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                file.write_text(text)
                file.chmod(self.modes.get(path, 0o644))
        for path, target in self.links.items():
            (tree / path).symlink_to(target)
        if self.setting is not None:
            for path, text in ((self.setting.path, self.setting.before), (BOOT_ID, "b007-1")):
                file = tree / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{text}\n")
        write_boot_record(tree, self)

    def load(self, tree: Path) -> None:
        """Boot as after a power loss: a LOAD from outside chooses the default."""
        if self.setting is not None:
            for path, text in ((self.setting.path, ""), (BOOT_ID, "b007-2")):
                (tree / path.lstrip("/")).write_text(f"{text}\n")

    def chosen(self, tree: Path) -> str | None:
        """Return the value of the setting; None if there is none."""
        if self.setting is None:
            return None
        return (tree / self.setting.path.lstrip("/")).read_text().strip()

    @property
    def settings(self) -> tuple[Setting, ...]:
        return () if self.setting is None else (self.setting,)

    def changes(self) -> tuple[FileChange, ...]:
        return tuple(
            FileChange("/" + path, "/" + path, _bytes(self.before[path]), _bytes(self.after[path]))
            for path in self.before
        )

    def found(self, tree: Path) -> dict[str, str | None]:
        return {
            path: (tree / path).read_text() if (tree / path).exists() else None
            for path in self.before
        }


BLS = Scene(
    "bls",
    before={
        "boot/loader/entries/a-5.14.0-1.conf": "title One\noptions root=/dev/dasda1\n",
        "boot/loader/entries/a-5.14.0-2.conf": "title Two\noptions root=/dev/dasda1\n",
        "etc/kernel/cmdline": None,
    },
    after={
        "boot/loader/entries/a-5.14.0-1.conf": "title One\noptions root=/dev/dasda1 prot_virt=1\n",
        "boot/loader/entries/a-5.14.0-2.conf": "title Two\noptions root=/dev/dasda1 prot_virt=1\n",
        "etc/kernel/cmdline": "root=/dev/dasda1 prot_virt=1\n",
    },
    modes={"boot/loader/entries/a-5.14.0-2.conf": 0o600},
)

ZIPL_CONF = Scene(
    "zipl-conf",
    before={
        "etc/zipl.real": "[linux]\ntarget=/boot\nimage=/boot/vmlinuz\nparameters='quiet'\n",
        "etc/old-parmfile": "quiet\n",
    },
    after={
        "etc/zipl.real": "[linux]\ntarget=/boot\nimage=/boot/vmlinuz\nparameters='prot_virt=1'\n",
        "etc/old-parmfile": None,
    },
    links={"etc/zipl.conf": "zipl.real"},
    modes={"etc/zipl.real": 0o640},
)

LOADPARM = "/sys/firmware/reipl/ccw/loadparm"
_TRIED = "title One (secboot trial)\noptions root=/dev/dasda1 prot_virt=1\n"
TRIAL = Scene(
    "trial",
    before={"boot/loader/entries/0-secboot-trial.conf": None},
    after={"boot/loader/entries/0-secboot-trial.conf": _TRIED},
    setting=Setting(LOADPARM, "", "3", Moment.LAST),
)
CONFIRMATION = Scene(
    "confirmation",
    before={**BLS.before, "boot/loader/entries/0-secboot-trial.conf": _TRIED},
    after={**BLS.after, "boot/loader/entries/0-secboot-trial.conf": None},
    modes=BLS.modes,
    setting=Setting(LOADPARM, "3", "", Moment.FIRST),
)
SCENES = {scene.name: scene for scene in (BLS, ZIPL_CONF, TRIAL, CONFIRMATION)}


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def boot_digest(tree: Path, scene: Scene) -> str:
    return digest_of(scene.found(tree))


def digest_of(files: dict[str, str | None]) -> str:
    return hashlib.sha256(repr(files).encode()).hexdigest()


def write_boot_record(tree: Path, scene: Scene) -> None:
    """The replacement for zipl. A fault may hit it like any other program: then it fails."""
    try:
        (tree / BOOT_RECORD).parent.mkdir(parents=True, exist_ok=True)
        (tree / BOOT_RECORD).write_text(boot_digest(tree, scene))
    except OSError as error:
        raise RefusedError(f"zipl failed: {error}") from error


def audit(action: Action = Action.APPLY, undoes: str | None = None) -> Audit:
    actor = Actor(0, "root", None, "host")
    return Audit(action, ("secboot",), actor, "2026-11-23T14:00:00Z", "1.0", undoes=undoes)


def apply(access: WriteAccess, tree: Path, scene: Scene) -> None:
    recover(access)
    _run(access, tree, scene, scene.changes(), audit(), scene.settings)


def roll_back_latest(access: WriteAccess, tree: Path, scene: Scene) -> None:
    recover(access)
    checkpoint, doubts = newest_apply(access.store)
    if checkpoint is None or doubts:
        raise RefusedError("unknown what to roll back")
    way = way_back(access, checkpoint)
    _run(access, tree, scene, way.changes, audit(Action.ROLLBACK, checkpoint.id), way.settings)


def apply_in_vain(access: WriteAccess, tree: Path, scene: Scene) -> None:
    """An apply whose zipl fails, so that it must be rolled back."""
    recover(access)
    with Transaction.begin(access, scene.changes(), audit(), scene.settings) as transaction:
        transaction.write_files()
        transaction.committing()
        write_boot_record(tree, scene)
        raise RefusedError("zipl failed")


def apply_cut_short(access: WriteAccess, scene: Scene, state: State) -> None:
    """An apply whose process ends as soon as `state` is reached. Never returns."""
    transaction = Transaction.begin(access, scene.changes(), audit(), scene.settings)
    if state is not State.PREPARED:
        transaction.write_files()
    if state is State.COMMITTING:
        transaction.committing()
        write_boot_record(Path(access.root.base), scene)
        transaction.settle()
    os._exit(0)


def recover_only(access: WriteAccess, _tree: Path, _scene: Scene) -> None:
    recover(access)


def _run(
    access: WriteAccess,
    tree: Path,
    scene: Scene,
    changes: tuple[FileChange, ...],
    reason: Audit,
    settings: tuple[Setting, ...],
) -> None:
    with Transaction.begin(access, changes, reason, settings) as transaction:
        transaction.write_files()
        transaction.committing()
        write_boot_record(tree, scene)
        transaction.settle()
        transaction.done({"zipl": {"status": 0}})


VERBS = {
    "apply": apply,
    "fail": apply_in_vain,
    "rollback": roll_back_latest,
    "recover": recover_only,
}


LIED = 99
"""Instead of an exit code that contradicts the state of the machine."""
STATES = {
    ExitCode.REFUSED: {StateKind.UNCHANGED, StateKind.RESTORED},
    ExitCode.ROLLED_BACK: {StateKind.RESTORED},
    ExitCode.STUCK: {StateKind.NOT_RESTORED, StateKind.ZIPL_DUE},
    ExitCode.INTERRUPTED: {StateKind.UNCHANGED, StateKind.RESTORED},
}
"""In which states the machine can be after an exit code; REFUSED and RESTORED is a recovery."""


def perform(verb: str, tree: Path, scene: Scene) -> int:
    """Run a verb as the command line does, and return its exit code."""
    ledger = Ledger()

    def commit(_inherited: tuple[int, ...]) -> dict[str, object]:
        write_boot_record(tree, scene)
        return {"status": 0}

    try:
        with (
            Root(tree) as root,
            write_access(root, StateDirectory(root), commit=commit, ledger=ledger) as access,
        ):
            VERBS[verb](access._replace(is_setting=LOADPARM.__eq__), tree, scene)
    except SecbootError as error:
        return error.exit_code if ledger.state.kind in STATES[error.exit_code] else LIED
    return ExitCode.OK


def cut_short(tree: Path, scene: Scene, state: State) -> None:
    """Leave `tree` like a process that is killed in `state`."""
    child = os.fork()
    if child == 0:
        try:
            with Root(tree) as root, write_access(root, StateDirectory(root)) as access:
                apply_cut_short(access._replace(is_setting=LOADPARM.__eq__), scene, state)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def cut_journal(directory: Path, count: int) -> None:
    """Keep the first lines of a checkpoint's journal, like a crash after that step."""
    journal = directory / "journal"
    entries = parse_journal(journal.read_bytes(), directory.name)
    journal.write_bytes(format_journal(entries[:count], directory.name))


def temporaries(tree: Path) -> list[str]:
    """Return the leftovers of a change: temporary files, and partly created checkpoints."""
    return [
        str(Path(directory) / name)
        for directory, directories, files in os.walk(tree)
        for name in directories + files
        if name.startswith((".secboot-", ".new-", ".old-", "journal.new"))
    ]


def state_of(tree: Path) -> dict[str, bytes]:
    """Return everything that a command may change: the boot files and the checkpoints."""
    return {
        str(path.relative_to(tree)): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and path.name != "lock"
    }


def resealed(document: Mapping[str, Any], checkpoint: str) -> bytes:
    """Return a record with a matching checksum, which an attacker can also make."""
    rest = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(rest, indent=2).removesuffix("\n}").encode()
    return with_checksum(text, checkpoint, b',\n  "checksum": "', b'"\n}\n')


def write_record(root: Path, document: Mapping[str, Any]) -> None:
    """Write the record of the first checkpoint of a tree."""
    (root / CHECKPOINT / "record.json").write_bytes(resealed(document, "1"))
