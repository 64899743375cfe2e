"""A machine's life, step by step: what is done to it, and by whom.

A seed determines a life: the same seed repeats it.
"""

from __future__ import annotations

import os
import random
import signal
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from secboot.errors import ExitCode
from tests.repair.damage import CONF
from tests.s390x.known_machine import KnownMachine
from tests.s390x.living_machines import KINDS, replace

PROFILES = (
    *("host", "guest", "site", "host", "guest", "site"),
    *("guest-large", "host-off", "guest-off"),
)
SITE = "version: 1\nparameters:\n  audit: 1\n  loglevel: 7\n  debug: {absent: true}\n"
WORDS = (
    "audit=1",
    "audit-",
    "debug",
    "debug-",
    "loglevel=4",
    "prot_virt=1",
    "swiotlb=262144,noforce",
)
_LONGEST_CHANGE = 180
"""The number of effects of a change, about; an interruption occurs within these."""


@dataclass(kw_only=True)
class Life(KnownMachine):
    """A machine of a kind, whose life the seed determines; a context for its life."""

    kind: str
    seed: int
    done: Counter[str] = field(default_factory=Counter)
    kernels: list[int] = field(default_factory=list)
    """The numbers of the installed kernels, the oldest first."""

    def __enter__(self) -> Self:
        self.chance = random.Random(f"{self.kind} {self.seed}")  # noqa: S311 - the same each time
        files = dict(KINDS[self.kind].files(self.place))
        files["etc/secboot/profiles/site.yaml"] = SITE.encode()
        self.place.cell.fill_with({**files, "var/lib/.keep": b""})
        super().__enter__()
        for _ in range(2):
            self.install()
        self.read_record()
        return self

    def apply(self, **ending: int) -> str:
        """Apply a random profile."""
        profile = self.chance.choice(PROFILES)
        said = self.change("apply", profile, **ending)
        return f"{profile}: {said.code}"

    def rollback(self, **ending: int) -> str:
        """Undo the newest apply in place; later edits by others are kept or overwritten."""
        if not self.standing and self.chance.random() < 0.8:
            return f"(apply) {self.apply(**ending)}"
        words = self.chance.choice(([], [], ["--keep"], ["--force"], ["--leave-new"]))
        said = self.change("rollback", *words, **ending)
        return f"{' '.join(words)}: {said.code} {said.err.strip()[:150]}"

    def keep(self, **ending: int) -> str:
        """Do by hand what the hooks do."""
        return f"{self.change('keep', **ending).code}"

    def set_words(self, **ending: int) -> str:
        """Set or remove single parameters."""
        words = self.chance.sample(WORDS, self.chance.randrange(1, 3))
        return f"{' '.join(words)}: {self.change('set', *words, **ending).code}"

    def begin_trial(self, **ending: int) -> str:
        """Try a profile for one IPL."""
        profile = self.chance.choice(PROFILES)
        said = self.change("apply", profile, "--trial", **ending)
        return f"{profile}: {said.code} {said.err.strip()[:150]}"

    def end_trial(self, **ending: int) -> str:
        """Reboot with the trial's number in the boot menu, and make the change permanent."""
        if self.trial is None:
            return f"(begin) {self.begin_trial(**ending)}"
        trial = self.trial
        numbers = [number for number, each in self.record.items() if each.line == trial.line]
        number = max(numbers, default=trial.number)
        line = self.record[number].line if number in self.record else ""
        self.boot(f"{line} BOOT_IMAGE={number}")
        said = self.change("confirm", **ending)
        if said.code == ExitCode.OK:
            assert numbers, trial
            self.done["confirmed"] += 1
        return f"{said.code} {said.err.strip()[:150]}"

    def boot(self, line: str) -> None:
        """Boot with this line."""
        boot_id = str(uuid.UUID(int=self.chance.getrandbits(128)))
        for path, text in (("proc/cmdline", line), ("proc/sys/kernel/random/boot_id", boot_id)):
            (self.place.tree / path).parent.mkdir(parents=True, exist_ok=True)
            (self.place.tree / path).write_text(f"{text}\n")

    def writing(self, **ending: int) -> str:
        """Run one of the commands that change something."""
        what = self.chance.choice(
            (
                *(self.apply, self.apply, self.apply, self.rollback, self.rollback, self.keep),
                *(self.set_words, self.begin_trial, self.end_trial),
            )
        )
        return f"{what.__name__} {what(**ending)}"

    def killed(self) -> str:
        """Run a command and kill it before its end."""
        effect = self.chance.randrange(1, _LONGEST_CHANGE)
        return f"at {effect}: {self.writing(effect=effect, ended_by=signal.SIGKILL)}"

    def interrupted(self) -> str:
        """Run a command that the user interrupts with ^C, or that the system terminates."""
        effect = self.chance.randrange(1, _LONGEST_CHANGE)
        number = self.chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        return f"at {effect}: {self.writing(effect=effect, ended_by=number)}"

    def zipl_fails(self) -> str:
        """Let zipl's helper fail at its nth call, once or from then on."""
        failing = self.place.tree / "failing"
        nth, then_on = self.chance.randrange(10), self.chance.choice(("once", "always"))
        failing.write_text(f"{nth} {then_on}\n")
        try:
            return f"call {nth}, {then_on}: {self.writing()}"
        finally:
            failing.unlink()

    def disk_full(self) -> str:
        """Leave room for only a few blocks."""
        ballast = self.place.tree / "ballast"
        room = self.chance.choice((0, 0, 1, 2, 4, 8, 16, 32, 64))
        status = os.statvfs(self.place.tree)
        with ballast.open("wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_bsize // 10 * 9)
            with suppress(OSError):
                while file.seek(0, os.SEEK_END) and file.write(bytes(status.f_bsize)):
                    pass
            file.truncate(file.tell() - room * status.f_bsize)
        try:
            return f"{room} blocks left: {self.writing()}"
        finally:
            ballast.unlink()

    def install(self) -> str:
        """Install a new kernel; the hooks run."""
        number = max(self.kernels, default=0) + 1
        self.by_hooks(KINDS[self.kind].install, number, keeps=True)
        self.kernels.append(number)
        return str(number)

    def remove(self) -> str:
        """Remove one of the kernels, but not the newest two."""
        if len(self.kernels) < 3:
            return self.install()
        number = self.chance.choice(self.kernels[:-2])
        self.by_hooks(KINDS[self.kind].remove, number, keeps=False)
        self.kernels.remove(number)
        return str(number)

    def others(self) -> str:
        """Let somebody edit a file."""
        return KINDS[self.kind].others(self.place, self.chance)

    def broken(self) -> str:
        """Let somebody make a mistake that zipl refuses, and fix it after secboot has refused it."""
        if self.cut_short is not None:
            return self.zipl()
        conf = self.place.tree / "etc/zipl.conf"
        right = conf.read_text()
        replace(conf, f"{right}\nprompt 1\n")
        before, profile = self.files(), self.chance.choice(PROFILES)
        said = self.change("apply", profile)
        assert said.code in {ExitCode.REFUSED, ExitCode.USAGE}, said
        assert self.files() == before
        replace(conf, right)
        return f"{profile}: {said.code}"

    def fix(self) -> str:
        """Let somebody make a mistake that zipl refuses or misreads, and secboot repair it."""
        if self.cut_short is not None:
            return self.zipl()
        conf = self.place.tree / "etc/zipl.conf"
        right = conf.read_text()
        kind = self.chance.choice([*CONF])
        damaged = CONF[kind](right, self.chance)
        if damaged is None:
            return f"no place for {kind}"
        replace(conf, damaged)
        said = self.change("check", "--fix")
        if not self.place.cell.dry_run().accepted:
            assert said.code != ExitCode.OK, said
            replace(conf, right)
        return f"{kind}: {said.code} {said.err.strip()[:150]}"

    def zipl(self) -> str:
        """Let somebody run zipl."""
        self.place.run("zipl")
        return ""

    STEPS = (
        (apply, 6),
        (rollback, 4),
        (keep, 2),
        (set_words, 2),
        (begin_trial, 3),
        (end_trial, 3),
        (fix, 2),
        (killed, 5),
        (interrupted, 2),
        (zipl_fails, 4),
        (disk_full, 3),
        (install, 3),
        (remove, 3),
        (others, 8),
        (zipl, 2),
        (broken, 1),
    )

    def step(self) -> None:
        """Do one step, and check everything."""
        steps, weights = zip(*self.STEPS, strict=True)
        (step,) = self.chance.choices(steps, weights)
        self.ended = None
        name = step.__name__
        self.trace.append(name)
        detail = step(self)
        self.trace[-1] = f"{len(self.trace)}. {self.trace[-1]} {detail}"
        self.read_record()
        self.check()
        self.done[name] += 1
