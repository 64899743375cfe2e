"""One machine of a fleet, as its ``status`` or ``verify`` document tells of it.

The documents come from other machines, perhaps of another version of secboot, perhaps damaged on
the way: each key that is used is checked, and what is wrong is said of that machine alone.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from secboot.errors import ParseError
from secboot.named_tuple import NamedTuple
from secboot.report.status import SCHEMA as STATUS
from secboot.report.verify import SCHEMA as VERIFY
from secboot.status.checks import OF_THE_MACHINE, Outcome
from secboot.status.stages import Stage, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_T = TypeVar("_T")
_OUTCOMES = {
    Outcome.PASS: Verdict.MET,
    Outcome.WARN: Verdict.UNKNOWN,
    Outcome.FAIL: Verdict.MISSING,
}
_NOTICES_THAT_FAIL = frozenset({"no-entry", "zipl-refuses"})
"""The codes of the notices that stand in the way of every stage."""
_NO_PROFILE = "no profile was named, so no stage is judged"


class Standing(StrEnum):
    """What is to be said of a machine as a whole, what needs attention most first."""

    MISSING = "missing"
    """A stage is missing, or the machine has nothing that could reach one."""
    UNREADABLE = "unreadable"
    """There is no document about it that can be read."""
    WARNING = "warning"
    """A stage is not known, or there is a warning."""
    MET = "met"
    """Every stage that applies is reached."""

    @property
    def order(self) -> int:
        """Its place in the order, from 0."""
        return list(Standing).index(self)


class Remark(NamedTuple):
    """Why something is not as it should be, and what to do about it; empty where that is open."""

    why: str
    next_step: str = ""


class Machine(NamedTuple):
    """A machine. `host` is what the report calls it, `file` where its document was.

    `stages` has a verdict for each stage up to which the document goes. `schema` is that of the
    document, None if it could not be read; then the only remark says why.
    """

    host: str
    file: str
    standing: Standing
    schema: str | None = None
    root: str | None = None
    profile: str | None = None
    role: str | None = None
    stages: Mapping[Stage, Verdict] | None = None
    remarks: tuple[Remark, ...] = ()

    def at(self, stage: Stage) -> Verdict | None:
        """The verdict for a stage; None if the document has none."""
        return None if self.stages is None else self.stages.get(stage)


class _Finding(NamedTuple):
    """A requirement at one stage; without a stage, something that is wrong with the machine."""

    stage: Stage | None
    requirement: str
    verdict: Verdict
    remarks: tuple[Remark, ...]


def unreadable(host: str, file: str, why: str) -> Machine:
    """Return a machine whose document could not be read."""
    return Machine(host, file, Standing.UNREADABLE, remarks=(Remark(why),))


def read_machine(host: str, file: str, content: bytes, last: Stage) -> Machine:
    """Return what a document says, of which the stages up to `last` count.

    Never fails: content that is no document of the schemas ``secboot/status/1`` and
    ``secboot/verify/1`` gives a machine that is unreadable.
    """
    if not content.strip():
        return unreadable(host, file, "the file is empty")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return unreadable(host, file, "this is no JSON document")
    try:
        return _machine(document, Machine(host, file, Standing.MET), last)
    except ParseError as error:
        return unreadable(host, file, error.message)


def _machine(document: object, base: Machine, last: Stage) -> Machine:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == STATUS:
        base, findings, reach = _of_status(document, base)
    elif schema == VERIFY:
        base, findings, reach = _of_verify(document, base)
    elif isinstance(schema, str):
        raise ParseError(f"a document of the schema {schema}; {STATUS} or {VERIFY} is read")
    else:
        raise ParseError("this is no document of secboot: it has no schema")
    counted = [f for f in findings if f.stage is None or f.stage.number <= last.number]
    remarks = [r for finding in _first_wrong(counted) for r in finding.remarks]
    verdicts = {finding.verdict for finding in counted}
    if base.profile is None:
        verdicts.add(Verdict.UNKNOWN)
        remarks.append(Remark(_NO_PROFILE, "secboot status PROFILE"))
    elif reach.number < last.number:
        verdicts.add(Verdict.UNKNOWN)
        step = f"secboot verify PROFILE --stage {last}"
        remarks.append(Remark(f"checked up to '{reach}' only", step))
    standing = {Verdict.MISSING: Standing.MISSING, Verdict.UNKNOWN: Standing.WARNING}
    return base._replace(
        schema=schema,
        root=_member(document, "root", str),
        standing=standing.get(_worst(verdicts), Standing.MET),
        stages={
            stage: _worst(f.verdict for f in findings if f.stage is stage)
            for stage in Stage
            if stage.number <= reach.number
        },
        remarks=tuple(dict.fromkeys(_for_profile(remark, base.profile) for remark in remarks)),
    )


def _of_status(document: object, base: Machine) -> tuple[Machine, list[_Finding], Stage]:
    findings = []
    for requirement in _list(document, "requirements"):
        name = _member(requirement, "name", str)
        stages = _member(requirement, "stages", dict)
        for stage in Stage:
            result = _member(stages, stage, dict)
            verdict = _one_of(Verdict, result, "verdict")
            findings.append(_Finding(stage, name, verdict, _remarks(result, "reason")))
    for notice in _list(document, "notices"):
        fails = _member(notice, "code", str) in _NOTICES_THAT_FAIL
        verdict = Verdict.MISSING if fails else Verdict.UNKNOWN
        remark = Remark(_member(notice, "message", str), _member(notice, "next_step", str))
        findings.append(_Finding(None, "", verdict, (remark,)))
    profile = _optional(document, "profile", dict)
    if profile is not None:
        name, role = (_member(profile, key, str) for key in ("name", "role"))
        base = base._replace(profile=name, role=role)
    return base, findings, Stage.EFFECTIVE


def _of_verify(document: object, base: Machine) -> tuple[Machine, list[_Finding], Stage]:
    findings = []
    for check in _list(document, "checks"):
        verdict = _OUTCOMES[_one_of(Outcome, check, "outcome")]
        name, remarks = _member(check, "id", str), _remarks(check, "message")
        if name.startswith(OF_THE_MACHINE):
            findings.append(_Finding(None, "", verdict, remarks))
            continue
        stage, _, requirement = name.partition(".")
        if stage not in list(Stage):
            raise ParseError(f"the check {name} belongs to no stage")
        findings.append(_Finding(Stage(stage), requirement, verdict, remarks))
    base = base._replace(profile=_optional(document, "profile", str))
    return base, findings, _one_of(Stage, document, "stage")


def _first_wrong(findings: Iterable[_Finding]) -> list[_Finding]:
    """What to look at: of each requirement the first stage that is missing, else not known.

    Later stages follow from earlier ones. What is wrong with the machine comes first.
    """
    wrong = [f for f in findings if f.verdict in {Verdict.MISSING, Verdict.UNKNOWN}]
    first: dict[str, _Finding] = {}
    for finding in wrong:
        known = first.get(finding.requirement)
        if known is None or (known.verdict, finding.verdict) == (Verdict.UNKNOWN, Verdict.MISSING):
            first[finding.requirement] = finding
    shown = [f for f in wrong if f.stage is not None and _alike(f, first[f.requirement])]
    return [f for f in wrong if f.stage is None] + shown


def _alike(finding: _Finding, other: _Finding) -> bool:
    return (finding.stage, finding.verdict) == (other.stage, other.verdict)


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    order = (Verdict.MISSING, Verdict.UNKNOWN, Verdict.MET)
    return next((v for v in order if v in found), Verdict.NOT_APPLICABLE)


def _remarks(result: object, reason: str) -> tuple[Remark, ...]:
    advice = [
        Remark(_member(each, "why", str), _member(each, "next_step", str))
        for each in _list(result, "advice")
    ]
    return tuple(advice) or (Remark(_member(result, reason, str)),)


def _for_profile(remark: Remark, profile: str | None) -> Remark:
    return remark._replace(next_step=remark.next_step.replace("PROFILE", profile or "PROFILE"))


def _member(document: object, key: str, kind: type[_T]) -> _T:
    value = document.get(key) if isinstance(document, dict) else None
    if not isinstance(value, kind):
        raise ParseError(f"a damaged document: '{key}' is missing or not what it should be")
    return value


def _optional(document: object, key: str, kind: type[_T]) -> _T | None:
    if isinstance(document, dict) and key in document and document[key] is None:
        return None
    return _member(document, key, kind)


def _list(document: object, key: str) -> list[Any]:
    return _member(document, key, list)


_E = TypeVar("_E", bound=StrEnum)


def _one_of(values: type[_E], document: object, key: str) -> _E:
    text = _member(document, key, str)
    if text not in list(values):
        raise ParseError(f"a damaged document: '{key}' is {text}")
    return values(text)
