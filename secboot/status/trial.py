"""Where a trial stands: derived from its checkpoint, the boot files and the running system.

Nothing of it is written down a second time: whoever removes the entry, sets LOADPARM to something else
or IPLs the machine in another way changes what is found here.
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
"""The code of a finding about a trial as long as which stands zipl refuses everything."""
_MENU_NUMBER = re.compile(r"(?:^|[ \t])BOOT_IMAGE=(\d+)(?=[ \t]|$)")


class TrialState(StrEnum):
    """Where a trial stands."""

    PREPARED = "prepared"
    """The entry is there, and nothing tells a reboot to start it."""
    WAITING = "waiting"
    """The system has not been IPLed since; a reboot starts it."""
    LOST = "lost"
    """The same, but a reboot does not start it any more: the re-IPL settings say something else."""
    RUNNING = "running"
    """The running line is that of the trial."""
    FAILED = "failed"
    """The system came up with another line."""
    GONE = "gone"
    """Its boot entry is not there any more."""
    UNKNOWN = "unknown"
    """There is an entry of a trial, and no checkpoint of it that can be read."""


class TrialStanding(NamedTuple):
    """A trial and where it stands; `findings` say it, and what to do.

    `checkpoint` is its id, None where there is none that can be read. `number` is that of the entry by
    the files as they are now, None where it has none.
    """

    state: TrialState
    entry: str
    checkpoint: str | None = None
    profile: str | None = None
    number: int | None = None
    line: str | None = None
    findings: tuple[Finding, ...] = ()


def trial_standing(
    checkpoint: Checkpoint,
    trial: Trial,
    machine: Machine,
    choices: Sequence[Choice],
    facts: BootFacts | None,
    invocation: Invocation,
) -> TrialStanding:
    """Say where the trial of a checkpoint stands; `facts` are None for a tree that does not run.

    `choices` are what the boot record has.
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
    """Return where a trial stands of which no checkpoint can be read, which may be `for_root` alone."""
    message = f"'{visible(entry.name)}' tries a change, and no checkpoint of it can be read here"
    hint = f"see what was done: {invocation.command('history')}\nor remove the entry and run zipl"
    if for_root:
        hint = "run it as root to see where it stands"
    else:
        message += ": it can't be confirmed"
    finding = Finding("trial-unknown", Severity.WARNING, message, entry.location, hint)
    return TrialStanding(
        TrialState.UNKNOWN, entry.name, number=entry.menu_position, findings=(finding,)
    )


def entry_of(trial: Trial, machine: Machine) -> BootEntry | None:
    """Return the boot entry of a trial; None where it is gone."""
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
    # Of what was prepared in a tree nobody knows whether it was started.
    return TrialState.FAILED if trial.boot else TrialState.PREPARED


def _is_armed(trial: Trial, entry: BootEntry, choices: Sequence[Choice], facts: BootFacts) -> bool:
    if facts.reboot is None:
        return False
    reboot = at_reboot(facts.reboot, choices)
    if reboot.chooses is Chooses.UNKNOWN and not choices:
        return chosen_number(facts.reboot.source) == entry.menu_position
    return reboot.chooses is Chooses.ENTRY and reboot.entry == trial.entry


def _is_running(trial: Trial, entry: BootEntry, machine: Machine, facts: BootFacts) -> bool:
    """Whether the line is that of the trial, and of no other entry better.

    zipl's menu adds the number that was started, where it does; a line that IPL PARM replaced is nobody's.
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
    """What a running line has behind that of an entry, but for what zipl and the machine add.

    None where it does not begin with it.
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
    """What there is to say of a trial."""

    found: TrialStanding
    trial: Trial
    invocation: Invocation
    facts: BootFacts | None

    def of_state(self, checkpoint: Checkpoint) -> Finding:
        """Say where it stands, and what to do next."""
        trial, state = self.trial, self.found.state
        name, default = f"'{visible(trial.entry)}'", f"'{visible(trial.default)}'"
        what = f"trial of checkpoint {checkpoint.id}"
        drop = f"drop it: {self.invocation.command('rollback')}"
        confirm = f"make it permanent: {self.invocation.command('confirm')}"
        match state:
            case TrialState.WAITING:
                return self._note(
                    f"the {what} waits for its reboot: the next `reboot` starts {name}, a LOAD from"
                    f" outside the default {default}",
                    drop,
                )
            case TrialState.RUNNING:
                return self._note(
                    f"the {what} runs: this is the line of {name}", f"{confirm}\n{drop}"
                )
            case TrialState.PREPARED:
                return self._note(
                    f"the {what} is prepared: a LOAD with LOADPARM {self.found.number} starts {name}",
                    drop,
                )
            case TrialState.LOST:
                message = f"the {what} lost its setting: {self._instead()}"
                return self._warning(message, "\n".join((*self._again(checkpoint), drop)))
            case TrialState.FAILED:
                line = visible((self.facts and self.facts.command_line) or "")
                message = (
                    f"the {what} failed: the system was IPLed since, and came up with another line than"
                    f" that of {name}: its kernel did not come up, or was not started. It runs with:"
                    f" {line}"
                )
                return self._warning(message, drop)
            case _:
                message = f"the {what} is over: {name} is not there any more"
                return self._note(message, None)

    def of_kernel(self, machine: Machine, entry: BootEntry | None) -> Iterator[Finding]:
        """Say what keeps zipl from writing any boot record."""
        for part in () if entry is None else (entry.image, entry.ramdisk):
            facts = None if part is None else machine.facts.get(part.path)
            if part is not None and facts is not None and facts.kind is PathKind.MISSING:
                message = (
                    f"{visible(part.path)} is gone, and zipl refuses everything as long as"
                    f" '{visible(self.trial.entry)}' names it"
                )
                hint = f"drop the trial: {self.invocation.command('rollback')}"
                yield Finding(KERNEL_GONE, Severity.ERROR, message, part.location, hint)

    def _instead(self) -> str:
        reboot = None if self.facts is None else self.facts.reboot
        if reboot is None:
            return "the system does not tell what a reboot starts"
        asked = chosen_number(reboot.source)
        chosen = f"number {asked} of the boot menu" if asked else "the default"
        return f"a reboot starts {chosen}, and not '{visible(self.trial.entry)}'"

    def _again(self, checkpoint: Checkpoint) -> Iterator[str]:
        """What makes a reboot start it again, by the number that it has now."""
        number = self.found.number
        for each in checkpoint.record.settings:
            value = each.after if number == self.trial.number else str(number)
            if number is not None:
                yield f"start it all the same: echo {shell_word(value)} > {shell_word(each.path)}"

    def _note(self, message: str, hint: str | None) -> Finding:
        return Finding(f"trial-{self.found.state}", Severity.NOTE, message, hint=hint)

    def _warning(self, message: str, hint: str) -> Finding:
        return Finding(f"trial-{self.found.state}", Severity.WARNING, message, hint=hint)
