"""The state of a trial, derived from its checkpoint, the boot files and the running system.

The state is not stored anywhere, so it stays true if somebody removes the entry, changes LOADPARM or
IPLs the machine in another way.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import BLANKS
from secboot.formats.zipl_parameters import NO_ENVIRONMENT
from secboot.ipl.reboot import Chooses, at_reboot, chosen_number
from secboot.named_tuple import NamedTuple
from secboot.visible import shell_word, visible
from secboot.zipl.file_facts import PathKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.checkpoint.record import Checkpoint, Trial
    from secboot.formats.zipl_parameters import ZiplEnvironment
    from secboot.invocation import Invocation
    from secboot.ipl.next_ipl import Choice
    from secboot.machine.discovery import Machine
    from secboot.running.system import BootFacts
    from secboot.zipl.entry import BootEntry

KERNEL_GONE = "trial-kernel-gone"
"""The code of the finding that zipl refuses the whole configuration until the trial is dropped."""
_MENU_NUMBER = re.compile(r"(?:^|[ \t])BOOT_IMAGE=(\d+)(?=[ \t]|$)")


class TrialState(StrEnum):
    """The state of a trial."""

    PREPARED = "prepared"
    """The boot entry exists, but a reboot does not start it by itself."""
    WAITING = "waiting"
    """The system has not been IPLed since; a reboot starts the entry."""
    LOST = "lost"
    """The same, but a reboot no longer starts the entry: the re-IPL settings were changed."""
    RUNNING = "running"
    """The running line is that of the trial."""
    FAILED = "failed"
    """The system was booted with a different line."""
    GONE = "gone"
    """Its boot entry no longer exists."""
    UNKNOWN = "unknown"
    """There is a boot entry of a trial, but no readable checkpoint of it."""


class TrialStanding(NamedTuple):
    """A trial and its state; `findings` describe the state and what to do.

    `checkpoint` is its id, None if it cannot be read. `number` is that of the entry in the current
    files, None if it has none.
    """

    state: TrialState
    entry: str
    checkpoint: str | None = None
    profile: str | None = None
    number: int | None = None
    line: str | None = None
    findings: tuple[Finding, ...] = ()

    def next_step(self, invocation: Invocation) -> str | None:
        """Return the command that ends the trial; None while a reboot has to decide which."""
        if self.state is TrialState.RUNNING:
            return invocation.command("confirm")
        if self.state in {TrialState.FAILED, TrialState.LOST}:
            return invocation.command("rollback")
        return None


def trial_standing(
    checkpoint: Checkpoint,
    trial: Trial,
    machine: Machine,
    choices: Sequence[Choice],
    facts: BootFacts | None,
    invocation: Invocation,
) -> TrialStanding:
    """Return the state of a checkpoint's trial; `facts` are None unless this is the running system.

    `choices` are those of the boot record.
    """
    entry = entry_of(trial, machine)
    state = _state(trial, entry, machine, choices, facts)
    found = TrialStanding(
        state,
        trial.entry,
        checkpoint.id,
        checkpoint.record.audit.profile,
        None if entry is None else entry.menu_position,
        trial.line,
    )
    words = _Words(found, trial, invocation, facts)
    return found._replace(findings=(words.of_state(checkpoint), *words.of_kernel(machine, entry)))


def unrecorded(
    entry: BootEntry, invocation: Invocation, *, for_root: bool = False
) -> TrialStanding:
    """Return the state of a trial without a readable checkpoint; `for_root`: only root can read it."""
    message = f"'{visible(entry.name)}' is the entry of a trial whose checkpoint cannot be read"
    hint = f"see what was done: {invocation.command('history')}\nor remove the entry and run zipl"
    if for_root:
        hint = "run this command as root to see its state"
    else:
        message += ", so it cannot be confirmed"
    finding = Finding("trial-unknown", Severity.WARNING, message, entry.location, hint)
    return TrialStanding(
        TrialState.UNKNOWN, entry.name, number=entry.menu_position, findings=(finding,)
    )


def entry_of(trial: Trial, machine: Machine) -> BootEntry | None:
    """Return the boot entry of a trial; None if it no longer exists."""
    entries = machine.configuration.entries
    return next((e for e in entries if e.is_trial and e.name == trial.entry), None)


def _state(
    trial: Trial,
    entry: BootEntry | None,
    machine: Machine,
    choices: Sequence[Choice],
    facts: BootFacts | None,
) -> TrialState:
    if entry is None:
        return TrialState.GONE
    if facts is None:
        return TrialState.PREPARED
    if trial.boot and facts.boot == trial.boot:
        return TrialState.WAITING if _is_armed(trial, entry, choices, facts) else TrialState.LOST
    if _is_running(trial, entry, machine, facts):
        return TrialState.RUNNING
    # Whether an entry that was prepared in a tree was ever started is unknown.
    return TrialState.FAILED if trial.boot else TrialState.PREPARED


def _is_armed(trial: Trial, entry: BootEntry, choices: Sequence[Choice], facts: BootFacts) -> bool:
    if facts.reboot is None:
        return False
    reboot = at_reboot(facts.reboot, choices)
    if reboot.chooses is Chooses.UNKNOWN and not choices:
        return chosen_number(facts.reboot.source) == entry.menu_position
    return reboot.chooses is Chooses.ENTRY and reboot.entry == trial.entry


def _is_running(trial: Trial, entry: BootEntry, machine: Machine, facts: BootFacts) -> bool:
    """Whether the line is that of the trial, and matches no other entry better.

    zipl's menu can add the number that was started; a line that IPL PARM replaced matches no entry.
    """
    running = (facts.command_line or "").strip(BLANKS)
    menu = _MENU_NUMBER.search(running)
    if menu is not None and int(menu[1]) not in {trial.number, entry.menu_position}:
        return False
    environment = machine.configuration.environment or NO_ENVIRONMENT
    parm = None if facts.ipl is None else facts.ipl.parm
    own = _rest(running, trial.line, environment, parm)
    others = (
        _rest(running, each.parmline or "", environment, parm)
        for each in machine.configuration.entries
        if each.name != trial.entry
    )
    best = min((len(rest) for rest in others if rest is not None), default=None)
    if own is None:
        return False
    return not own or menu is not None or best is None or len(own) < best


def _rest(running: str, line: str, environment: ZiplEnvironment, parm: str | None) -> str | None:
    """What a running line has after that of an entry, except for what zipl and the machine add.

    None if it does not begin with that line.
    """
    forms = {environment.expand(line, site) for site in (None, *environment.sites)}
    rests = []
    for form in (each.strip(BLANKS) for each in forms):
        rest = running[len(form) :] if running.startswith(form) else None
        if rest is None or (form and rest and rest[0] not in BLANKS):
            continue
        rest = _MENU_NUMBER.sub("", rest).strip(BLANKS)
        added = (parm or "").strip(BLANKS)
        if added and rest.lower().endswith(added.lower()):
            rest = rest[: -len(added)].strip(BLANKS)
        rests.append(rest)
    return min(rests, key=len, default=None)


class _Words(NamedTuple):
    """The findings about a trial."""

    found: TrialStanding
    trial: Trial
    invocation: Invocation
    facts: BootFacts | None

    def of_state(self, checkpoint: Checkpoint) -> Finding:
        """Return its state and what to do next."""
        trial, state = self.trial, self.found.state
        name, default = f"'{visible(trial.entry)}'", f"'{visible(trial.default)}'"
        what = f"trial of checkpoint {checkpoint.id}"
        drop = f"drop it: {self.invocation.command('rollback')}"
        confirm = f"make it permanent: {self.invocation.command('confirm')}"
        match state:
            case TrialState.WAITING:
                return self._note(
                    f"the {what} waits for a reboot: the next `reboot` starts {name}; a LOAD from"
                    f" outside starts the default, {default}",
                    drop,
                )
            case TrialState.RUNNING:
                return self._note(
                    f"the {what} is running: the system was booted with the line of {name}",
                    f"{confirm}\n{drop}",
                )
            case TrialState.PREPARED:
                return self._note(
                    f"the {what} is prepared: a LOAD with LOADPARM {self.found.number} starts {name}",
                    drop,
                )
            case TrialState.LOST:
                message = f"the {what} will not start: {self._instead()}"
                return self._warning(message, "\n".join((*self._again(checkpoint), drop)))
            case TrialState.FAILED:
                line = visible((self.facts and self.facts.command_line) or "")
                message = (
                    f"the {what} failed: the system was IPLed since, but with a different line than"
                    f" that of {name}: its kernel did not boot, or was not started. The system runs"
                    f" with: {line}"
                )
                return self._warning(message, drop)
            case _:
                message = f"the {what} is over: the boot entry {name} no longer exists"
                return self._note(message, None)

    def of_kernel(self, machine: Machine, entry: BootEntry | None) -> Iterator[Finding]:
        """Yield what prevents zipl from writing any boot record."""
        for part in () if entry is None else (entry.image, entry.ramdisk):
            facts = None if part is None else machine.facts.get(part.path)
            if part is not None and facts is not None and facts.kind is PathKind.MISSING:
                message = (
                    f"{visible(part.path)} no longer exists, and zipl refuses the whole configuration"
                    f" while '{visible(self.trial.entry)}' names it"
                )
                hint = f"drop the trial: {self.invocation.command('rollback')}"
                yield Finding(KERNEL_GONE, Severity.ERROR, message, part.location, hint)

    def _instead(self) -> str:
        reboot = None if self.facts is None else self.facts.reboot
        if reboot is None:
            return "unknown what a reboot starts"
        asked = chosen_number(reboot.source)
        chosen = f"number {asked} of the boot menu" if asked else "the default"
        return f"a reboot starts {chosen}, not '{visible(self.trial.entry)}'"

    def _again(self, checkpoint: Checkpoint) -> Iterator[str]:
        """The commands that make a reboot start it again, with its current number."""
        number = self.found.number
        for each in checkpoint.record.settings:
            value = each.after if number == self.trial.number else str(number)
            if number is not None:
                yield f"start it anyway: echo {shell_word(value)} > {shell_word(each.path)}"

    def _note(self, message: str, hint: str | None) -> Finding:
        return Finding(f"trial-{self.found.state}", Severity.NOTE, message, hint=hint)

    def _warning(self, message: str, hint: str) -> Finding:
        return Finding(f"trial-{self.found.state}", Severity.WARNING, message, hint=hint)
