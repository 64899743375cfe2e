"""Plan the repairs of a machine's boot files: which repairs, what they write, and what remains.

A repair can uncover another fault, so repairs are made in rounds, each on what zipl would find after
the one before. zipl's view of the result decides: unless it accepts everything, nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding
from secboot.formats.text import encoded, split_lines
from secboot.ipl.secure_execution import leaves_by_files
from secboot.lines.changes import Command
from secboot.named_tuple import NamedTuple
from secboot.repair.bls_fields import indented_title, key_alone, title_below
from secboot.repair.characters import byte_order_mark, carriage_returns
from secboot.repair.conf_lines import comment_in_value, refused_line
from secboot.repair.edit import Damaged, Edit, Repair, apply_edits
from secboot.repair.misplaced import misplaced_parameters
from secboot.repair.repetitions import repeated_block, repeated_field, repeated_line
from secboot.system.files import FileChange
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.zipl.entry import BootEntry

    Changed = Callable[[Mapping[str, bytes]], Machine]
    Rule = Callable[[Damaged, Finding], Repair | str | None]

_LINES: tuple[Rule, ...] = (
    byte_order_mark,
    carriage_returns,
    title_below,
    refused_line,
    comment_in_value,
    indented_title,
    key_alone,
)
"""Rules about single lines."""
_PLACES: tuple[Rule, ...] = (
    misplaced_parameters,
    repeated_block,
    repeated_line,
    repeated_field,
)
"""Rules about where lines are: a heading that has not been repaired yet would mislead them."""
_MISREAD = frozenset({"zipl.bls-misread", "zipl.carriage-return"})
"""What zipl accepts, but does not read as it is meant."""
_ROUNDS = 50
_MOST = 500
"""Findings; a file with more of them was not damaged by hand."""
_TOO_MANY = "too many problems: is this the right file?"
_BY_HAND = "no repair is certain: correct it by hand"
_OTHER_FILE = "editing boot files cannot fix this: install or correct the file that is named"
_LEAVES = "zipl would make a plain kernel image the default, and the next IPL would leave Secure Execution"


class PlannedRepair(NamedTuple):
    """Findings, with their locations in the current files, and what is done about them."""

    action: str
    findings: tuple[Finding, ...]


class Unrepaired(NamedTuple):
    """A finding that remains, and why."""

    finding: Finding
    reason: str


class RepairedLine(NamedTuple):
    """A boot entry's parameter line as zipl reads it before and after; None if there is none.

    For a file that zipl refuses, `before` is what can be read from it.
    """

    name: str
    location: Location
    before: str | None
    after: str | None
    default: bool


class RepairPlan(NamedTuple):
    """What would be repaired, and what remains; `refusal` says why nothing may be written."""

    root: str
    layout: str
    zipl_version: str
    repairs: tuple[PlannedRepair, ...]
    left: tuple[Unrepaired, ...]
    entries: tuple[RepairedLine, ...]
    files: tuple[FileChange, ...]
    commands: tuple[Command, ...]
    refusal: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether zipl accepts the files with these repairs."""
        return all(each.finding.code in _MISREAD for each in self.left)

    @property
    def leaves_secure_execution(self) -> bool:
        """Whether only zipl must not run: the repaired files would take a guest out of Secure Execution."""
        return self.refusal == _LEAVES

    def require_applicable(self) -> None:
        """Raise RefusedError if nothing may be written."""
        if self.refusal is not None:
            raise UnrepairedError(self, self.refusal)


class UnrepairedError(RefusedError):
    """Something remains that zipl would refuse, or must not do: nothing is written."""

    def __init__(self, plan: RepairPlan, message: str) -> None:
        super().__init__(message)
        self.plan = plan


def plan_repairs(
    machine: Machine, layout: Layout, changed: Changed, *, with_zipl: bool
) -> RepairPlan:
    """Return the repairs of all that zipl refuses or misreads, as far as no guess is needed.

    `changed` returns the machine with changed file contents, by path and by real path. `with_zipl`
    says that zipl will run here, so a missing kernel also matters. Raises RefusedError if it is
    unknown which system these boot files belong to.
    """
    repairing = _Repairing(machine, changed)
    generated = _generated(machine, layout)
    if generated is None:
        repairing.run()
    after, files = repairing.machine, repairing.files()
    if files:
        layout.require_editable()
    left = tuple(
        Unrepaired(repairing.original(finding), generated or repairing.why_left(finding))
        for finding in _worth_repair(after)
    )
    allowed = _MISREAD if with_zipl else _MISREAD | ABOUT_OTHER_FILES
    refusal = _refusal(left, allowed)
    if (
        refusal is None
        and files
        and with_zipl
        and leaves_by_files(after, layout.next_ipl_of(after))
    ):
        refusal = _LEAVES
    return RepairPlan(
        root=machine.root,
        layout=layout.description,
        zipl_version=str(machine.zipl_version),
        repairs=tuple(repairing.done),
        left=left,
        entries=tuple(_repaired_lines(machine, after)),
        files=files,
        commands=layout.commit if files else (),
        refusal=refusal,
    )


class _Repairing:
    """The files during their repair, round by round; `done` are the repairs so far."""

    def __init__(self, machine: Machine, changed: Changed) -> None:
        self.machine = machine
        self.done: list[PlannedRepair] = []
        self._files = {file.path: file for file in machine.files}
        self._changed = changed
        self._too_many = False
        self._texts = {path: file.text for path, file in self._files.items()}
        self._damaged = Damaged(machine, self._texts, {})
        self._numbers = {
            path: list(range(1, len(split_lines(text)) + 1)) for path, text in self._texts.items()
        }

    def run(self) -> None:
        """Repair what can be repaired."""
        for _ in range(_ROUNDS):
            self._too_many = len(_worth_repair(self.machine)) > _MOST
            if self._too_many:
                return
            repairs = self._repairs(_LINES) or self._repairs(_PLACES)
            if not repairs:
                return
            self.done += [
                PlannedRepair(repair.action, tuple(map(self.original, findings)))
                for repair, findings in repairs.items()
            ]
            self._follow([edit for repair in repairs for edit in repair.edits])

    def files(self) -> tuple[FileChange, ...]:
        """Return the changed files."""
        return tuple(
            FileChange(path, file.real_path, file.data, encoded(self._texts[path]))
            for path, file in self._files.items()
            if self._texts[path] != file.text
        )

    def original(self, finding: Finding) -> Finding:
        """Return the finding with its line number in the file before any repair."""
        place = finding.location
        if place is None or place.line is None or place.path not in self._numbers:
            return finding
        numbers = self._numbers[place.path]
        if not 0 < place.line <= len(numbers):
            return finding
        return finding._replace(location=place._replace(line=numbers[place.line - 1]))

    def why_left(self, finding: Finding) -> str:
        """Say why a finding is not repaired."""
        if self._too_many:
            return _TOO_MANY
        made = self._answer(finding, (*_LINES, *_PLACES))
        if isinstance(made, str):
            return made
        return _OTHER_FILE if finding.code in ABOUT_OTHER_FILES else _BY_HAND

    def _answer(self, finding: Finding, rules: tuple[Rule, ...]) -> Repair | str | None:
        """Return the answer of the first rule that handles the finding."""
        answers = (rule(self._damaged, finding) for rule in rules)
        return next((answer for answer in answers if answer is not None), None)

    def _repairs(self, rules: tuple[Rule, ...]) -> dict[Repair, list[Finding]]:
        """Return the repairs of one round, which change different places, with their findings."""
        found: dict[Repair, list[Finding]] = {}
        for finding in _worth_repair(self.machine):
            covering = _covering(finding, found)
            if covering is not None:
                # The next round examines it again if it remains.
                found[covering].append(finding)
                continue
            repair = self._answer(finding, rules)
            if not isinstance(repair, Repair):
                continue
            if repair in found:
                found[repair].append(finding)
            elif not any(
                edit.overlaps(other)
                for edit in repair.edits
                for earlier in found
                for other in earlier.edits
            ):
                found[repair] = [finding]
        return found

    def _follow(self, edits: list[Edit]) -> None:
        for path in {edit.path for edit in edits}:
            own = [edit for edit in edits if edit.path == path]
            self._texts[path] = "".join(apply_edits(split_lines(self._texts[path]), own))
            self._numbers[path] = _renumbered(self._numbers[path], own)
        contents = {}
        for change in self.files():
            contents[change.path] = contents[change.real_path] = change.after or b""
        self.machine = self._changed(contents)
        self._damaged = Damaged(self.machine, self._texts, {})


def _covering(finding: Finding, repairs: Mapping[Repair, object]) -> Repair | None:
    """Return the repair that rewrites the place of a finding."""
    place = finding.location
    if place is None or place.line is None:
        return None
    line, path = place.line, place.path
    return next(
        (
            repair
            for repair in repairs
            for edit in repair.edits
            if edit.path == path and edit.start < line <= edit.end
        ),
        None,
    )


def _renumbered(numbers: list[int], edits: list[Edit]) -> list[int]:
    """Return for each line after the edits the number of the line in the file that it comes from."""
    found = list(numbers)
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        old = numbers[edit.start : edit.end] or numbers[edit.start - 1 : edit.start] or [1]
        extra = [old[-1]] * max(0, len(edit.lines) - len(old))
        found[edit.start : edit.end] = [*old, *extra][: len(edit.lines)]
    return found


def _worth_repair(machine: Machine) -> tuple[Finding, ...]:
    configuration = machine.configuration
    misread = (each for each in configuration.warnings if each.code in _MISREAD)
    return (*configuration.problems, *misread)


def _generated(machine: Machine, layout: Layout) -> str | None:
    """Say which other program writes the files that zipl reads, if one does."""
    if layout.not_edited is not None:
        return layout.not_edited
    if not machine.sources.generated:
        return None
    source = next(iter(machine.sources.reads), None)
    programs = " and ".join(command.argv[0] for command in layout.commit)
    first = f"correct {source}, then run {programs}" if source else f"run {programs}"
    return f"the file is generated: {first}"


def _refusal(left: tuple[Unrepaired, ...], allowed: frozenset[str]) -> str | None:
    refused = [each.finding for each in left if each.finding.code not in allowed]
    if not refused:
        return None
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    place = refused[0].location or "the boot files"
    return f"zipl would still refuse {place}: {refused[0].message}{more}"


def _repaired_lines(before: Machine, after: Machine) -> Iterator[RepairedLine]:
    old: dict[tuple[str, str | None], str | None] = {}
    for entry in before.configuration.entries:
        old.setdefault(_key(entry), entry.parmline)
    for entry in after.configuration.entries:
        line = old.get(_key(entry))
        yield RepairedLine(entry.name, entry.location, line, entry.parmline, entry.is_default)


def _key(entry: BootEntry) -> tuple[str, str | None]:
    """Return what identifies an entry: a BLS entry's file, or a section's name."""
    return (entry.path, entry.name if entry.bls is None else None)
