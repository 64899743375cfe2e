"""Move kernel parameters from a place where zipl expects a keyword or field to the line they belong to.

Tutorials append them (``echo "prot_virt=1" >> /etc/zipl.conf``), and they end up in whatever section
comes last. So the place of such a line is meaningful only in the middle of a file. At the end, or in a
section without parameters, the line is meant for what zipl installs. If that is more than one boot
entry, the line could be meant for each of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.bls_entry import BlsEntry
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import ConfLine, Keyword, LineKind
from secboot.kernel.command_line import canonical, is_multi_valued
from secboot.kernel.parameter_names import parameters_in
from secboot.named_tuple import NamedTuple
from secboot.repair.edit import Damaged, Edit, Repair, edit_between, require_headings
from secboot.zipl.entry import BootEntry, Origin
from secboot.zipl.scan import EntryKind

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.formats.zipl_conf import ConfSection

_KERNELS = frozenset({EntryKind.IPL, EntryKind.TAPE_IPL})
_ELSEWHERE = frozenset({"zipl.keyword-not-allowed", "zipl.outside-section"})
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_REFUSED = frozenset({"zipl.unknown-keyword", "zipl.no-equals-sign"})


class _Stray(NamedTuple):
    """A line of zipl.conf with parameters to move, and the block that it is in."""

    line: ConfLine
    words: tuple[str, ...]
    block: ConfSection | None


def misplaced_parameters(damaged: Damaged, finding: Finding) -> Repair | str | None:
    """Move misplaced parameters, and all others that are meant for the same boot entry."""
    line, bls = damaged.conf_line(finding), damaged.entry(finding)
    try:
        if line is not None and (line.problem is not None or finding.code in _ELSEWHERE):
            return _in_conf(damaged, line)
        if bls is not None and finding.code == "zipl.bls-field":
            return _in_entry(damaged, bls, finding)
    except RefusedError as error:
        return error.message
    return None


def _in_conf(damaged: Damaged, line: ConfLine) -> Repair | None:
    strays = _strays(damaged)
    found = next((each for each in strays if each.line.number == line.number), None)
    if found is None:
        return None
    require_headings(damaged, {each.line.number for each in strays})
    target = _target(damaged, found, strays)
    same = [each for each in strays if each is found or _is_for(damaged, target, each, strays)]
    return _moved(damaged, target, same)


def _in_entry(damaged: Damaged, bls: BlsEntry, finding: Finding) -> Repair | None:
    """Move parameters on lines of their own to the options of their entry."""
    strays = {
        line.number: words
        for line in bls.lines
        if line.key is None and (words := parameters_in(line.text.strip(" \t\n")))
    }
    if finding.location is None or finding.location.line not in strays:
        return None
    owner = next((entry for entry in _kernels(damaged) if entry.bls == bls), None)
    if owner is None:
        return None
    _require_ordinary(damaged, owner)
    words = tuple(word for each in strays.values() for word in each)
    kept = [line.text for line in bls.lines if line.number not in strays]
    text = _with_words(owner, words)
    after = BlsEntry("".join(kept), bls.path)
    if text != owner.parameters:
        after = after.set_options(text)
    edits = (edit_between(bls.path, bls.text, after.render()),)
    return Repair(_action(owner, words, text), edits)


def _strays(damaged: Damaged) -> tuple[_Stray, ...]:
    """Return the lines of zipl.conf that hold parameters outside a section's parameter line."""
    known: tuple[_Stray, ...] | None = damaged.memo.get("strays")
    if known is None:
        known = damaged.memo["strays"] = _find_strays(damaged)
    return known


def _find_strays(damaged: Damaged) -> tuple[_Stray, ...]:
    conf = damaged.machine.configuration.conf
    blocks = {line.number: block for block in conf.blocks for line in block.lines}
    kernels = {entry.line for entry in _kernels(damaged) if entry.path == conf.path}
    found = []
    for line in conf.lines:
        block = blocks.get(line.number)
        words = _words_of(line, in_kernel=block is not None and block.heading.number in kernels)
        if words:
            found.append(_Stray(line, words, block))
    return tuple(found)


def _words_of(line: ConfLine, *, in_kernel: bool) -> tuple[str, ...]:
    if line.problem is not None and line.problem.code in _REFUSED:
        text = _COMMENT.sub("", line.body).strip(" \t")
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        return parameters_in(text)
    if line.keyword is not Keyword.PARAMETERS or in_kernel or line.value is None:
        return ()
    parsed = CommandLine.parse(line.value.text)
    if parsed.unterminated_quote or parsed.dashdash is not None:
        return ()
    return tuple(parameter.text for parameter in parsed.parameters)


def _target(damaged: Damaged, stray: _Stray, strays: tuple[_Stray, ...]) -> BootEntry:
    """Return the boot entry that a line is meant for; RefusedError says why that is unknown."""
    conf = damaged.machine.configuration.conf
    own = None
    if stray.block is not None:
        heading = stray.block.heading.number
        own = next(
            (e for e in _kernels(damaged) if e.path == conf.path and e.line == heading), None
        )
    moved = {each.line.number for each in strays}
    follows = any(
        line.number not in moved and line.kind not in {LineKind.BLANK, LineKind.COMMENT}
        for line in conf.lines[stray.line.number :]
    )
    if own is not None and follows:
        return own
    possible = [e for e in _kernels(damaged) if e.is_default or e.menu_position is not None]
    possible = possible or _kernels(damaged)
    if own is not None and own not in possible:
        possible.append(own)
    if len(possible) == 1:
        return possible[0]
    what = " ".join(stray.words)
    if not possible:
        raise RefusedError(f"{what} is a kernel parameter, but there is no boot entry to add it to")
    raise RefusedError(
        f"{what} could be meant for one of {len(possible)} boot entries, or for all of them"
    )


def _is_for(damaged: Damaged, target: BootEntry, stray: _Stray, strays: tuple[_Stray, ...]) -> bool:
    try:
        return _target(damaged, stray, strays) == target
    except RefusedError:
        return False


def _kernels(damaged: Damaged) -> list[BootEntry]:
    """Return the boot entries that start a kernel, except that of a trial, which is a copy."""
    entries = damaged.machine.configuration.entries
    return [entry for entry in entries if entry.kind in _KERNELS and not entry.is_trial]


def _require_ordinary(damaged: Damaged, entry: BootEntry) -> None:
    if damaged.machine.secure_image(entry) is not None:
        raise RefusedError(
            f"'{entry.name}' boots a Secure Execution image, whose parameters are inside it"
        )


def _with_words(entry: BootEntry, words: tuple[str, ...]) -> str:
    """Return the entry's own text with these words added, except those that its line already has.

    Raises RefusedError if a word contradicts the line, or if the line has an open quote.
    """
    line = CommandLine.parse(entry.parmline or "")
    own = CommandLine.parse(entry.parameters or "")
    for word in words:
        name = canonical(CommandLine.parse(word).parameters[0].name)
        same = [each.text for each in line.parameters if canonical(each.name) == name]
        if word in same:
            continue
        if same and not is_multi_valued(name):
            raise RefusedError(
                f"'{entry.name}' already has {same[0]}: keep it, or replace it with {word}"
            )
        own, line = own.append(word), line.append(word)
    return own.render()


def _moved(damaged: Damaged, entry: BootEntry, strays: list[_Stray]) -> Repair:
    _require_ordinary(damaged, entry)
    words = tuple(word for each in strays for word in each.words)
    text = _with_words(entry, words)
    conf = damaged.machine.configuration.conf
    numbers = {each.line.number for each in strays}
    kept = ZiplConf.parse(
        "".join(line.text for line in conf.lines if line.number not in numbers), conf.path
    )
    edits: tuple[Edit, ...] = ()
    if text != (entry.parameters or ""):
        if entry.bls is None:
            kept = kept.with_values(Keyword.PARAMETERS, {entry.name: text})
        else:
            after = entry.bls.set_options(text).render()
            edits = (edit_between(entry.path, entry.bls.text, after),)
    edits = (*edits, edit_between(conf.path, conf.render(), kept.render()))
    return Repair(_action(entry, words, text), edits)


def _action(entry: BootEntry, words: tuple[str, ...], text: str) -> str:
    what = " ".join(words)
    if text == (entry.parameters or ""):
        return f"remove {what}: the parameter line of '{entry.name}' already has it"
    where = "options" if entry.origin is Origin.BLS else "parameters"
    return f"move {what} to the {where} of '{entry.name}'"
