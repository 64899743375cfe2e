"""A machine of a fleet, as its ``status`` or ``verify`` document reports it.

The documents come from other machines, perhaps from another version of secboot, perhaps damaged on
the way: a problem with a document is a problem of that machine only. Documents of secboot 0.1.0
(``secboot/status/1``, ``secboot/verify/1``) have `advice` and `next_step` instead of findings, and
``PROFILE`` instead of the profile's name.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.codec import decode, parse_document
from secboot.errors import ParseError
from secboot.finding import Finding, Severity
from secboot.invocation import Invocation
from secboot.named_tuple import NamedTuple
from secboot.report.failure import SCHEMA as FAILURE
from secboot.report.made import Made
from secboot.report.status import SCHEMA as STATUS
from secboot.report.verify import SCHEMA as VERIFY
from secboot.status.checks import OF_THE_MACHINE, Outcome
from secboot.status.stages import Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STATUSES = (STATUS, "secboot/status/1")
_CHECKS = (VERIFY, "secboot/verify/1")
_OUTCOMES = {
    Outcome.PASS: Verdict.MET,
    Outcome.WARN: Verdict.UNKNOWN,
    Outcome.FAIL: Verdict.MISSING,
}
_WORST_FIRST = (Verdict.MISSING, Verdict.UNKNOWN, Verdict.MET)
_NOTICES_THAT_FAIL = frozenset({"no-entry", "zipl-refuses"})
"""Notices that are errors; in documents of 0.1.0, notices had no severity."""


class Standing(StrEnum):
    """The state of a machine as a whole; the worst comes first."""

    MISSING = "missing"
    """A stage is missing, or the machine has nothing that could reach one."""
    UNREADABLE = "unreadable"
    """Its document cannot be read."""
    WARNING = "warning"
    """A stage is unknown, or there is a warning."""
    MET = "met"
    """Every stage that applies is reached."""

    @property
    def order(self) -> int:
        """Its place in the order, from 0."""
        return list(Standing).index(self)


class ReportedMachine(NamedTuple):
    """A machine. `host` is its name in the report, `file` the path of its document.

    `document` is the document's schema, None if it could not be read; then the only finding says
    why. `made` is None for documents of 0.1.0, which do not have it. `stages` has a verdict for each
    stage, None for stages after the last one of the document.
    """

    host: str
    file: str
    document: str | None
    root: str | None
    profile: str | None
    role: str | None
    made: Made | None
    standing: Standing
    stages: Mapping[Stage, Verdict | None]
    findings: tuple[Finding, ...]


def unreadable(host: str, file: str, why: str) -> ReportedMachine:
    """Return a machine whose document could not be read, with the reason."""
    found = Finding("unreadable", Severity.ERROR, why)
    stages: dict[Stage, Verdict | None] = dict.fromkeys(Stage)
    return ReportedMachine(
        host, file, None, None, None, None, None, Standing.UNREADABLE, stages, (found,)
    )


class Counted(NamedTuple):
    """What is checked: the stages up to `last`; at the time `now`, documents not older than `oldest`."""

    last: Stage
    now: datetime
    oldest: timedelta


def read_machine(host: str, file: str, content: bytes, counted: Counted) -> ReportedMachine:
    """Return what a document reports, as far as it is `counted`.

    Never fails: other content than a status or checks gives an unreadable machine.
    """
    if not content.strip():
        return unreadable(host, file, "the file is empty")
    try:
        document = parse_document(content, file, *_STATUSES, *_CHECKS, FAILURE)
        if document["schema"] == FAILURE:
            failed = decode(_Failure, document, file)
            return unreadable(host, file, "; ".join(each.message for each in failed.problems))
        if document["schema"] in _STATUSES:
            report = decode(_Status, document, file).report()
        else:
            report = decode(_Checks, document, file).report()
    except ParseError as error:
        return unreadable(host, file, error.message)
    return _machine(host, file, report, counted)


class _Failure(NamedTuple):
    """The keys that are read from the document of a command that failed on the machine."""

    problems: tuple[Finding, ...]


class _Judgement(NamedTuple):
    """A requirement at one stage; without a stage, a problem of the machine."""

    stage: Stage | None
    requirement: str
    verdict: Verdict
    findings: tuple[Finding, ...]


class _Report(NamedTuple):
    """The content of either document. `reach` is the last stage that was checked."""

    schema: str
    made: Made | None
    root: str
    profile: str | None
    role: str | None
    judgements: Sequence[_Judgement]
    reach: Stage

    @property
    def last(self) -> Stage:
        """The last stage that applies to it: no later one to a tree that is not the running system."""
        return Stage.EFFECTIVE if self.root == "/" else Stage.INSTALLED


class _Advice(NamedTuple):
    """A likely cause, as 0.1.0 wrote it."""

    why: str
    next_step: str

    def finding(self) -> Finding:
        return Finding("advice", Severity.ERROR, self.why, None, self.next_step or None)


class _Notice(NamedTuple):
    """A finding. `next_step` is the hint as 0.1.0 wrote it, which had no severity."""

    code: str
    message: str
    severity: Severity | None = None
    hint: str | None = None
    next_step: str = ""

    def judgement(self) -> _Judgement:
        fails = self.code in _NOTICES_THAT_FAIL or self.severity is Severity.ERROR
        verdict = Verdict.MISSING if fails else Verdict.UNKNOWN
        if self.severity is Severity.NOTE:
            verdict = Verdict.MET
        return _of_machine(self.code, verdict, self.message, self.hint or self.next_step)


class _Result(NamedTuple):
    verdict: Verdict
    reason: str
    causes: tuple[Finding, ...] = ()
    advice: tuple[_Advice, ...] = ()


class _Stages(NamedTuple):
    configured: _Result
    inherited: _Result
    installed: _Result
    running: _Result
    effective: _Result


class _Requirement(NamedTuple):
    name: str
    stages: _Stages


class _Profile(NamedTuple):
    name: str
    role: str


class _Status(NamedTuple):
    """The keys that are read from a status document."""

    schema: str
    root: str
    profile: _Profile | None
    requirements: tuple[_Requirement, ...]
    notices: tuple[_Notice, ...]
    made: Made | None = None

    def report(self) -> _Report:
        name, role = self.profile or (None, None)
        judgements = [
            _Judgement(
                stage,
                each.name,
                result.verdict,
                _causes(result.reason, result.causes, result.advice),
            )
            for each in self.requirements
            for stage, result in zip(Stage, each.stages, strict=True)
        ]
        judgements += [notice.judgement() for notice in self.notices]
        return _Report(self.schema, self.made, self.root, name, role, judgements, Stage.EFFECTIVE)


class _Check(NamedTuple):
    id: str
    outcome: Outcome
    message: str
    causes: tuple[Finding, ...] = ()
    advice: tuple[_Advice, ...] = ()

    def flaw(self) -> str:
        known = self.id.startswith(OF_THE_MACHINE) or self.id.partition(".")[0] in list(Stage)
        return "" if known else f"the check {self.id} belongs to no stage"

    def judgement(self) -> _Judgement:
        found = _causes(self.message, self.causes, self.advice)
        verdict = _OUTCOMES[self.outcome]
        stage, _, name = self.id.partition(".")
        if self.id.startswith(OF_THE_MACHINE):
            return _of_machine(name, verdict, self.message, found[0].hint)
        return _Judgement(Stage(stage), name, verdict, found)


class _Checks(NamedTuple):
    """The keys that are read from a document of checks."""

    schema: str
    root: str
    profile: str | None
    stage: Stage
    checks: tuple[_Check, ...]
    made: Made | None = None

    def report(self) -> _Report:
        judgements = [check.judgement() for check in self.checks]
        return _Report(
            self.schema, self.made, self.root, self.profile, None, judgements, self.stage
        )


def _causes(
    reason: str, causes: tuple[Finding, ...], advice: tuple[_Advice, ...]
) -> tuple[Finding, ...]:
    """The likely causes; the reason if no cause is known."""
    found = (*causes, *(each.finding() for each in advice))
    return found or (Finding("not-met", Severity.ERROR, reason),)


def _of_machine(code: str, verdict: Verdict, message: str, hint: str | None) -> _Judgement:
    severity = Severity.ERROR if verdict is Verdict.MISSING else Severity.WARNING
    return _Judgement(None, "", verdict, (Finding(code, severity, message, None, hint or None),))


def _machine(host: str, file: str, report: _Report, counted: Counted) -> ReportedMachine:
    last = counted.last.number
    judged = [j for j in report.judgements if j.stage is None or j.stage.number <= last]
    findings = [found for each in _first_wrong(judged) for found in each.findings]
    verdicts = {each.verdict for each in judged}
    for gap in (_gap(report, counted.last), _too_old(report.made, counted)):
        if gap is not None:
            verdicts.add(Verdict.UNKNOWN)
            findings.append(gap)
    standing = {Verdict.MISSING: Standing.MISSING, Verdict.UNKNOWN: Standing.WARNING}
    judged_stages = [s for s in Stage if not report.last.number >= s.number > report.reach.number]
    stages = {
        s: _worst(j.verdict for j in report.judgements if j.stage is s) for s in judged_stages
    }
    return ReportedMachine(
        host=host,
        file=file,
        document=report.schema,
        root=report.root,
        profile=report.profile,
        role=report.role,
        made=report.made,
        standing=standing.get(_worst(verdicts), Standing.MET),
        stages={stage: stages.get(stage) for stage in Stage},
        findings=tuple(dict.fromkeys(_with_profile(each, report.profile) for each in findings)),
    )


def _gap(report: _Report, last: Stage) -> Finding | None:
    """Why the document does not cover everything that is checked."""
    invocation = Invocation.on(report.root)
    if report.profile is None:
        why = "no profile was named, so no stage is judged"
        step = invocation.for_profile("status")
        return Finding("no-profile", Severity.WARNING, why, None, step)
    last = min(last, report.last, key=lambda each: each.number)
    if report.reach.number < last.number:
        step = invocation.command("verify", report.profile, "--stage", last)
        why = f"only checked up to '{report.reach}'"
        return Finding("checked-in-part", Severity.WARNING, why, None, step)
    return None


def _too_old(made: Made | None, counted: Counted) -> Finding | None:
    """The finding about a document that is too old to describe the machine."""
    age = timedelta() if made is None else made.age(counted.now)
    if age <= counted.oldest:
        return None
    why = f"the document is {age.days} days old"
    return Finding("old-document", Severity.WARNING, why, None, None)


def _first_wrong(judgements: Iterable[_Judgement]) -> list[_Judgement]:
    """What to look at: the first missing, otherwise unknown, stage of each requirement.

    Later stages follow from earlier ones. Problems of the machine come first.
    """
    wrong = [j for j in judgements if j.verdict in {Verdict.MISSING, Verdict.UNKNOWN}]
    first: dict[str, tuple[Stage | None, Verdict]] = {}
    for each in sorted(wrong, key=lambda each: each.verdict is not Verdict.MISSING):
        if each.stage is not None:
            first.setdefault(each.requirement, (each.stage, each.verdict))
    shown = [j for j in wrong if (j.stage, j.verdict) == first.get(j.requirement)]
    return [j for j in wrong if j.stage is None] + shown


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    return next((v for v in _WORST_FIRST if v in found), Verdict.NOT_APPLICABLE)


def _with_profile(finding: Finding, profile: str | None) -> Finding:
    if finding.hint is None or profile is None or "PROFILE" not in finding.hint:
        return finding
    return finding._replace(hint=finding.hint.replace("PROFILE", profile))
