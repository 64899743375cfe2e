"""A status as a list of checks, for ``secboot verify`` and for monitoring.

The ids are part of the interface: ``STAGE.PARAMETER`` for the stages, and ``machine.`` with a
notice's code for the rest. A check of one boot entry has the entry as its subject.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.ipl.next_ipl import OF_THE_RECORD
from secboot.named_tuple import NamedTuple
from secboot.status.stages import Result, Stage, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator


class Outcome(StrEnum):
    """What a check found."""

    PASS = "PASS"  # noqa: S105 - not a password
    WARN = "WARN"
    FAIL = "FAIL"


class Check(NamedTuple):
    """One check. `subject` is a boot entry's name, and `file` the file that has it.

    Both are empty for a check of the machine.
    """

    id: str
    subject: str
    outcome: Outcome
    message: str
    causes: tuple[Finding, ...]
    file: str = ""


_ENTRY_STAGES = (Stage.CONFIGURED, Stage.INSTALLED)


def make_checks(status: Status, last: Stage) -> tuple[Check, ...]:
    """Every check up to and including the stage `last`, in the order of the stages.

    A missing stage fails, and so does a notice that is an error; an unknown stage is a warning, and
    so is every other notice. Notes are not checks, and findings about what the next IPL or reboot
    starts fail no check before the stage *installed*.
    """
    checks = [
        check for stage in Stage if stage.number <= last.number for check in _stage(status, stage)
    ]
    for notice in status.notices:
        if notice.severity is Severity.NOTE:
            continue
        of_next_start = notice.code in OF_THE_RECORD or notice.code.startswith(OF_THE_REBOOT)
        early = of_next_start and last.number < Stage.INSTALLED.number
        fails = notice.severity is Severity.ERROR and not early
        outcome = Outcome.FAIL if fails else Outcome.WARN
        causes = (notice,) if notice.hint else ()
        checks.append(Check(f"{OF_THE_MACHINE}{notice.code}", "", outcome, notice.message, causes))
    return tuple(checks)


OF_THE_REBOOT = "reipl-"
"""The prefix of the codes of findings about the re-IPL settings."""
OF_THE_MACHINE = "machine."
"""The prefix of the ids of checks that belong to no stage."""


def counts_of(checks: tuple[Check, ...]) -> tuple[int, int, int]:
    """Return how many checks passed, how many are warnings, and how many failed."""
    passed, warned, failed = (
        sum(check.outcome is outcome for check in checks)
        for outcome in (Outcome.PASS, Outcome.WARN, Outcome.FAIL)
    )
    return passed, warned, failed


def worst(checks: tuple[Check, ...]) -> Outcome:
    """Return the worst outcome; PASS if there are no checks."""
    outcomes = {check.outcome for check in checks}
    return next((o for o in (Outcome.FAIL, Outcome.WARN) if o in outcomes), Outcome.PASS)


def _stage(status: Status, stage: Stage) -> Iterator[Check]:
    for number, requirement in enumerate(status.requirements):
        name = f"{stage}.{requirement.name}"
        if stage not in _ENTRY_STAGES:
            yield from _check(name, "", requirement.stages[stage])
            continue
        for entry in status.entries:
            results = entry.configured if stage is Stage.CONFIGURED else entry.installed
            if results:
                for check in _check(name, entry.name, results[number]):
                    yield check._replace(file=entry.location.path)


def _check(name: str, subject: str, result: Result) -> Iterator[Check]:
    outcome = {
        Verdict.MET: Outcome.PASS,
        Verdict.MISSING: Outcome.FAIL,
        Verdict.UNKNOWN: Outcome.WARN,
    }.get(result.verdict)
    if outcome is not None:
        yield Check(name, subject, outcome, result.reason, result.causes)
