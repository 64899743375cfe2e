"""What is known about a machine during its life, and what must be true at any time.

The knowledge does not come from secboot: it is the files before and after each change that is in
place, and the output of the real zipl when it last wrote the boot record. Only which changes exist,
and their states, is read from secboot's history.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from secboot.errors import ExitCode
from secboot.formats.kernel_cmdline import CommandLine
from secboot.machine.profile_files import read_profile
from secboot.system.root import Root
from tests.checkpoint.scenes import temporaries
from tests.command import Said
from tests.s390x.living_machines import CHECKOUT, Place
from tests.s390x.zipl_output import InstalledEntry, read_verdict

KEPT = 20
"""The number of changes that can be rolled back, which secboot keeps."""
_CODES = frozenset(ExitCode) - {ExitCode.BUG}

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Program:
    """What zipl wrote or would write: the line, and the digests of kernel and ramdisk."""

    line: str
    kernel: str
    ramdisk: str
    default: bool


@dataclass(frozen=True)
class Change:
    """An apply in place: each file before and after it; None for no file."""

    id: str
    files: Mapping[str, tuple[bytes | None, bytes | None]]
    is_fix: bool
    """Whether it repaired files that zipl refused: then it can't be rolled back to them."""


@dataclass(frozen=True)
class Trial:
    """A change that is tried: the checkpoint, and the number and the line of its boot entry."""

    id: str
    number: int
    line: str


@dataclass
class KnownMachine:
    """The machine and what is known about it; a context in which secboot can be run."""

    place: Place
    trace: list[str] = field(default_factory=list)
    """The steps so far; the last one is being done."""
    standing: list[Change] = field(default_factory=list)
    active: str | None = None
    record: Mapping[int, Program] = field(default_factory=dict)
    cut_short: tuple[Files, Files] | None = None
    """The files before and after a change that is unfinished."""
    litter: bool = False
    """Whether a command was killed, and no later one has recovered yet."""
    is_current: bool = False
    """Whether zipl would have written the same record after the last step."""
    ended: int | None = None
    """The exit code of this step's change."""
    newest: int = 0
    """The number of the newest checkpoint."""
    trial: Trial | None = None
    """The trial that is in place and not confirmed."""

    def __enter__(self) -> Self:
        self.server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.s390x.emulated_secboot",
                self.place.work / "bin/zipl",
                "serve",
            ],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.server.stdin is not None
        self.server.stdin.close()
        with self.server:
            self.server.wait(60)

    def secboot(
        self,
        *words: str,
        effect: int = 0,
        ended_by: int = 0,
        root: Path | None = None,
    ) -> Said:
        """Run one command on the machine; a signal may end it at an effect."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        where = str(root or self.place.tree)
        asked = [[*words, "--root", where], effect, ended_by]
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        said = Said(**json.loads(self.server.stdout.readline()))
        assert said.code in _CODES or (effect and said.code == -ended_by), said
        assert "Traceback" not in said.err, said.err
        return said

    def document(self, *words: str) -> dict[str, Any]:
        """The JSON document of a read-only command."""
        document: dict[str, Any] = json.loads(self.secboot(*words, "--output", "json").out)
        return document

    def files(self) -> Files:
        """Everything that secboot may write to."""
        tree = self.place.tree
        found = [tree / "etc/zipl.conf", *(tree / "etc/kernel").glob("[!.]*")]
        found += (tree / "boot/loader/entries").glob("*.conf")
        return {str(path.relative_to(tree)): path.read_bytes() for path in found if path.is_file()}

    def change(self, *words: str, effect: int = 0, ended_by: int = 0) -> Said:
        """Run a command that changes something, and record what it changed."""
        before = self.healed()
        interrupted = self.cut_short
        unfinished = interrupted is not None
        found = self.files()
        self.trace[-1] += f" [{' '.join(words)}{f' at {effect}' if effect else ''}]"
        said = self.secboot(*words, "--zipl", effect=effect, ended_by=ended_by)
        if said.code < 0:
            self.wait_for_zipl()
            self.litter = True
        elif said.code in {ExitCode.OK, ExitCode.ROLLED_BACK}:
            self.litter = False
        self.ended = said.code
        after = self.files()
        changes = self.note_changes(before, after)
        if self.cut_short is None and not changes:
            # With --force, what others have written to files of the interrupted change is lost.
            restored = interrupted[0] if interrupted and "--force" in words else found
            assert after in ((before, found) if unfinished else (before,)) or all(
                after.get(path) in (found.get(path), restored.get(path))
                for path in {**after, **found}
            ), self.differing(before, after)
        return said

    def healed(self) -> Files:
        """The present files, after the interrupted change has been undone."""
        now = self.files()
        if self.cut_short is None:
            return now
        before, after = self.cut_short
        left = {
            path: data for path, data in now.items() if after.get(path) != data or path in before
        }
        return left | {
            path: data for path, data in before.items() if now.get(path) == after.get(path)
        }

    def note_changes(self, before: Files, after: Files) -> bool:
        """Read new changes from the history; return whether a change was made and is in place."""
        checkpoints = self.document("history")["checkpoints"]
        new = sorted(
            (c for c in checkpoints if int(c["id"]) > self.newest), key=lambda c: int(c["id"])
        )
        if checkpoints:
            newest = max(checkpoints, key=lambda c: int(c["id"]))
            self.newest = int(newest["id"])
            unfinished = newest["state"] not in {"done", "rolled back"}
            if not unfinished:
                self.cut_short = None
            elif new or self.cut_short is None:
                self.cut_short = (before, after)
        changed = False
        for checkpoint in new:
            if checkpoint["state"] == "done":
                changed = True
                self.note_change(checkpoint, before, after)
        stands = {change.id for change in self.standing}
        found = [c for c in checkpoints if c["id"] in stands and c["profile"] and not c["trial"]]
        self.active = max(found, key=lambda c: int(c["id"]))["profile"] if found else None
        self.trial = self.standing_trial([c for c in checkpoints if c["id"] in stands])
        return changed

    @staticmethod
    def standing_trial(standing: Sequence[Mapping[str, Any]]) -> Trial | None:
        """The newest trial, unless it is confirmed."""
        confirmed = {each["confirms"] for each in standing}
        trials = sorted((c for c in standing if c["trial"]), key=lambda c: int(c["id"]))
        if not trials or trials[-1]["id"] in confirmed:
            return None
        tried = trials[-1]["trial"]
        return Trial(trials[-1]["id"], tried["number"], tried["line"])

    def note_change(self, checkpoint: Mapping[str, Any], before: Files, after: Files) -> None:
        """Record a completed change."""
        if checkpoint["action"] == "rollback":
            assert self.standing, "a rollback of nothing"
            undone = next(each for each in self.standing if each.id == checkpoint["undoes"])
            drops_trial = self.trial is not None and self.trial.id == undone.id
            assert drops_trial or undone is self.to_undo(before)
            self.standing.remove(undone)
            return
        paths = self.differing(before, after)
        files = {path: (before.get(path), after.get(path)) for path in paths}
        self.standing.append(Change(checkpoint["id"], files, checkpoint["action"] == "fix"))
        del self.standing[:-KEPT]

    def to_undo(self, files: Files) -> Change:
        """The change that a rollback undoes if the files are these: a trial before all others."""
        if self.trial is None:
            return self.standing[-1]
        is_there = any("secboot-trial" in path or b"secboot-trial" in files[path] for path in files)
        trial = next(each for each in self.standing if each.id == self.trial.id)
        others = [each for each in self.standing if each is not trial]
        return trial if is_there or not others else others[-1]

    @staticmethod
    def differing(one: Files, other: Files) -> list[str]:
        """The paths of the files that differ."""
        return sorted(
            path for path in one.keys() | other.keys() if one.get(path) != other.get(path)
        )

    def by_hooks(self, work: Callable[[Place, int], None], number: int, *, keeps: bool) -> None:
        """Run something that runs zipl through hooks, and secboot if it `keeps`."""
        before, active = self.healed(), self.active
        work(self.place, number)
        after = self.files()
        common = before.keys() & after.keys()
        self.note_changes({p: before[p] for p in common}, {p: after[p] for p in common})
        if keeps and active is not None:
            assert self.cut_short is None
            self.litter = False

    def wait_for_zipl(self) -> None:
        """Wait: a zipl that a killed secboot started holds the lock until it has ended."""
        lock = self.place.tree / "var/lib/secboot/lock"
        if lock.exists():
            with lock.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX)
        while any(not path.with_suffix(".status").exists() for path in self.runs()):
            time.sleep(0.02)

    def runs(self) -> list[Path]:
        """The output of runs of zipl, the oldest first; that of a dry run is removed at its end."""
        return sorted((self.place.work / "records").glob("*.out"))

    def read_record(self) -> None:
        """Record what zipl has written since."""
        for said in self.runs():
            if not said.with_suffix(".status").exists():
                continue  # a dry run that a killed secboot started and that is still running
            status = int(said.with_suffix(".status").read_text())
            if status == 0:
                verdict = read_verdict(said.read_text(errors="surrogateescape"), "", 0)
                self.record = self.programs(verdict.entries)
            for path in said.parent.glob(f"{said.stem}.*"):
                path.unlink()

    def programs(self, entries: tuple[InstalledEntry, ...]) -> Mapping[int, Program]:
        """By number; the kernels are the present ones."""
        return {
            entry.number or 0: Program(
                entry.parmline or "",
                self.digest(entry.image),
                self.digest(entry.ramdisk),
                entry.default,
            )
            for entry in entries
        }

    def digest(self, path: str | None) -> str:
        """The digest of a file of the machine; empty if it does not exist."""
        if path is None:
            return ""
        return hashlib.sha256((self.place.tree / path.lstrip("/")).read_bytes()).hexdigest()

    def check(self) -> None:
        """zipl accepts the files, reports about the next IPL are true, and a rollback is possible."""
        verdict = self.place.cell.dry_run()
        assert verdict.accepted, verdict.output
        if not self.litter and self.cut_short is None:
            assert temporaries(self.place.tree) == []
        current = self.programs(verdict.entries)
        self.check_record(current)
        self.check_choices(current)
        if self.active is not None:
            self.check_verify(current)
        if self.cut_short is None:
            self.check_way_back()

    def check_record(self, current: Mapping[int, Program]) -> None:
        """A change that was made, or undone at once, leaves a boot record that matches the files."""
        if self.cut_short is not None:
            # After an interrupted change is undone, the record matches again, unless others act.
            self.is_current = self.is_current and self.ended is not None
            return
        if self.is_current and self.ended in {ExitCode.OK, ExitCode.ROLLED_BACK}:
            assert current == self.record
        self.is_current = current == self.record

    def check_choices(self, current: Mapping[int, Program]) -> None:
        """`show` reports what zipl wrote, and that it is current exactly if zipl would write the same."""
        shown = self.document("show")
        assert {
            int(choice["loadparm"] or 0): (choice["parameters"], choice["default"])
            for choice in shown["choices"]
        } == {number: (each.line, each.default) for number, each in self.record.items()}
        record = shown["boot_record"]
        if current == self.record:
            assert all("replaced" in each for each in record["differences"]), record
        else:
            assert record["stale"] is not None

    def check_verify(self, current: Mapping[int, Program]) -> None:
        """A check passes exactly if the record that zipl wrote meets the profile."""
        assert self.active is not None
        with Root(self.place.tree) as root:
            profile = read_profile(self.active, root)
        fit = {
            number: all(r.judge(CommandLine.parse(each.line)).met for r in profile.requirements)
            for number, each in self.record.items()
        }
        verified = self.document("verify", self.active, "--stage", "installed")
        if verified["outcome"] != "FAIL":
            default = next((n for n, each in self.record.items() if each.default), None)
            assert default is None or fit[default], verified
            kernels = {(each.kernel, each.ramdisk) for each in current.values()}
            default_files = default and (self.record[default].kernel, self.record[default].ramdisk)
            assert default is None or default_files in kernels, verified
        failed = [
            each["message"]
            for each in verified["checks"]
            if each["id"].startswith("installed") and each["outcome"] == "FAIL"
        ]
        if current == self.record and all(fit.values()):
            assert failed == []
        if not any(fit.values()):
            assert failed != []

    def lacks_kernel(self, entry: bytes | None) -> bool:
        """Whether this is a boot entry whose kernel was removed: no rollback creates it again."""
        named = re.search(rb"^linux /(.*)$", entry or b"", re.MULTILINE)
        return named is not None and not (self.place.tree / named[1].decode()).exists()

    def check_way_back(self) -> None:
        """On a copy of the machine: the newest change is undone, except for edits by others."""
        copy = self.place.tree.with_name("copy")
        shutil.rmtree(copy, ignore_errors=True)
        for name in ("etc", "boot", "var"):
            shutil.copytree(self.place.tree / name, copy / name, symlinks=True)
        (copy / "usr/sbin").mkdir(parents=True)
        os.link(self.place.tree / "usr/sbin/zipl", copy / "usr/sbin/zipl")
        if not self.standing:
            assert self.secboot("rollback", "--no-zipl", root=copy).code == ExitCode.REFUSED
            return
        now = self.files()
        change = self.to_undo(now)
        untouched = {
            path: before
            for path, (before, after) in change.files.items()
            if now.get(path) == after and not (after is None and self.lacks_kernel(before))
        }
        said = self.secboot("rollback", "--no-zipl", root=copy)
        if change.is_fix and "zipl would refuse" in said.err:
            return
        if said.code != 0:
            # Of a change that a hook made, the new entry is unknown here, and may have been edited since.
            assert not change.files or len(untouched) < len(change.files), said
            said = self.secboot("rollback", "--no-zipl", "--keep", root=copy)
        assert said.code == 0, said
        left = {
            path: (copy / path).read_bytes() if (copy / path).exists() else None
            for path in untouched
        }
        assert left == untouched, said
        assert temporaries(copy) == []
