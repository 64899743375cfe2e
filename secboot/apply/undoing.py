"""What a change did to parameters, and how to undo that in boot entries that were added since.

A kernel that is installed after an apply takes its line from /etc/kernel/cmdline, from the running
kernel, or from the default entry: it inherits what the change wrote, and no checkpoint has its old line.
Only words that are still as the change left them are reverted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.errors import RefusedError, SecbootError
from secboot.formats.bls_entry import BlsEntry
from secboot.formats.kernel_cmdline import KERNEL_CMDLINE, CommandLine
from secboot.formats.text import decoded, encoded
from secboot.formats.zipl_conf import DEFAULTBOOT, ConfSection, ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.named_tuple import NamedTuple
from secboot.profile.declared import DECLARED
from secboot.system.file_errors import FileError
from secboot.system.files import FileChange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.checkpoint.record import Checkpoint, SavedFile
    from secboot.checkpoint.store import CheckpointStore
    from secboot.machine.discovery import Machine

NO_WORDS = "without "
"""Precedes the name of a parameter that a line does not have."""
_WHOLE = ""
"""The name of the only line of a file."""


class ParameterUndoing(NamedTuple):
    """What a change did to one parameter of a line: its words `before` it, and as `applied`."""

    name: str
    before: tuple[str, ...]
    applied: tuple[str, ...]


class Undoing(NamedTuple):
    """What the change of a checkpoint did to parameters; the line of future kernels comes first."""

    parameters: tuple[ParameterUndoing, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, each once."""
        return tuple(dict.fromkeys(each.name for each in self.parameters))

    def revert(self, text: str) -> str:
        """Return a parameter line without what it has inherited; everything else stays."""
        line = CommandLine.parse(text)
        for name in self.names:
            words = _words(line, name)
            found = next((e for e in self.parameters if (e.name, e.applied) == (name, words)), None)
            if found is not None:
                line = _with_words(line, name, found.before)
        return line.render()

    def inherited(self, text: str) -> tuple[str, ...]:
        """Return the words of a line that are still as the change left them, or ``without NAME``."""
        line = CommandLine.parse(text)
        return tuple(
            word
            for name in self.names
            if any((e.name, e.applied) == (name, _words(line, name)) for e in self.parameters)
            for word in _words(line, name) or (f"{NO_WORDS}{name}",)
        )


def undoing_of(store: CheckpointStore, checkpoint: Checkpoint) -> Undoing:
    """Return what a change did to parameters, as far as the copies of its files show."""
    found: dict[ParameterUndoing, None] = {}
    trial = checkpoint.record.audit.trial
    if trial is not None:
        # A kernel that was installed while the trial ran may have the line of the running kernel.
        found.update(dict.fromkeys(_differences(trial.default_line, trial.line)))
    files = sorted(checkpoint.record.files, key=lambda file: file.named != KERNEL_CMDLINE)
    for file in files:
        if file.named == checkpoint.record.audit.parmfile:
            continue  # it is for images; no boot entry inherits from it
        before, after = _saved(store, checkpoint, file)
        if before is None or after is None:
            continue
        applied = _lines(file.named, after)
        for name, text in _lines(file.named, before).items():
            if name in applied:
                found.update(dict.fromkeys(_differences(text, applied[name])))
    return Undoing(tuple(found))


def entries_since(machine: Machine, checkpoint: Checkpoint) -> tuple[BlsEntry, ...]:
    """Return the BLS entries that were added since a checkpoint was made.

    secboot 0.1.0 did not record the existing entries. Then the file's time decides, compared with the
    time at which the replacement of files began, which has a checksum in the journal.
    """
    audit = checkpoint.record.audit
    known = {file.named for file in checkpoint.record.files} | set(audit.left_alone or ())
    known |= {entry.path for entry in machine.configuration.entries if entry.is_trial}
    entries = [entry for entry in machine.configuration.bls if entry.path not in known]
    if audit.left_alone is not None:
        return tuple(entries)
    from datetime import datetime  # noqa: PLC0415 - only for old checkpoints

    began = checkpoint.journal[0].at if checkpoint.journal else audit.started
    started = datetime.fromisoformat(began).timestamp() * 1e9
    times = {file.path: file.modified for file in machine.files}
    return tuple(entry for entry in entries if times.get(entry.path, 0) > started)


def reverted_entries(
    machine: Machine, entries: tuple[BlsEntry, ...], undoing: Undoing
) -> Iterator[FileChange]:
    """Yield the changes that revert the entries that have inherited something."""
    for entry in entries:
        file = machine.file(entry.path)
        options = entry.options
        if file is None or options is None or undoing.revert(options) == options:
            continue
        text = entry.set_options(undoing.revert(options)).render()
        after = encoded(text)
        yield FileChange(file.path, file.real_path, file.data, after)


def merged_sections(
    store: CheckpointStore, checkpoint: Checkpoint, file: SavedFile, found: bytes
) -> bytes | None:
    """Return a zipl.conf with its change undone, although sections were added or removed since.

    grubby adds one for each kernel, with the parameters of the default. None if anything else differs,
    except for which section is the default.
    """
    before, after = _saved(store, checkpoint, file)
    if before is None or after is None:
        return None
    old, new, now = (ZiplConf.parse(decoded(data)) for data in (before, after, found))
    if not new.sections or not _differs_by_sections(new, now):
        return None
    undoing = undoing_of(store, checkpoint)
    values = {}
    for section in now.sections:
        former = old.section(section.name)
        line = section.value(Keyword.PARAMETERS)
        text = None if former is None else former.value(Keyword.PARAMETERS)
        if former is None and line is not None:
            text = undoing.revert(line)
        if text is None and line is not None:
            return None
        if text is not None and text != line:
            values[section.name] = text
    try:
        merged = now.with_values(Keyword.PARAMETERS, values)
    except RefusedError:
        return None
    return encoded(merged.render()) if values else None


def _differs_by_sections(one: ZiplConf, other: ZiplConf) -> bool:
    """Whether sections were added or removed, and common sections are equal except for the default."""
    there = {(block.is_menu, block.name): _assigned(block) for block in other.blocks}
    blocks = {(block.is_menu, block.name): _assigned(block) for block in one.blocks}
    same = all(there.get(key, assigned) == assigned for key, assigned in blocks.items())
    return same and there.keys() != blocks.keys() and not other.problems


def _assigned(block: ConfSection) -> list[tuple[object, ...]]:
    return [
        (line.keyword, line.position, None if line.value is None else line.value.text)
        for line in block.assignments
        if (block.name, line.keyword) != (DEFAULTBOOT, Keyword.DEFAULT)
    ]


def _saved(
    store: CheckpointStore, checkpoint: Checkpoint, file: SavedFile
) -> tuple[bytes | None, bytes | None]:
    """Return the bytes of a file before and after a change; None if they are not available."""
    if file.before is None or file.after is None:
        return None, None
    try:
        return store.before(checkpoint, file), store.after(checkpoint, file)
    except (FileError, DamagedCheckpointError):
        return None, None


def _lines(path: str, data: bytes) -> dict[str, str]:
    """Return the parameter lines of a file, by section if it has sections."""
    text = decoded(data)
    if path.startswith(f"{BLS_DIRECTORY}/"):
        options = BlsEntry.parse(text).options
        return {} if options is None else {_WHOLE: options}
    sections = ZiplConf.parse(text).sections
    if sections:
        return {each.name: each.value(Keyword.PARAMETERS) or "" for each in sections}
    return {} if path in {ZIPLENV, DECLARED} or path.startswith("/etc/default/") else {_WHOLE: text}


def _differences(before: str, after: str) -> Iterator[ParameterUndoing]:
    old, new = CommandLine.parse(before), CommandLine.parse(after)
    names = dict.fromkeys(each.name for each in (*old.parameters, *new.parameters))
    for name in names:
        words = _words(old, name), _words(new, name)
        if words[0] != words[1]:
            yield ParameterUndoing(name, *words)


def _words(line: CommandLine, name: str) -> tuple[str, ...]:
    return tuple(parameter.text for parameter in line.named(name))


def _with_words(line: CommandLine, name: str, words: tuple[str, ...]) -> CommandLine:
    own = line.named(name)
    if not words:
        return line.remove(*own)
    if own:
        rest = line.remove(*own[1:])
        return rest.replace(rest.named(name)[0], " ".join(words))
    try:
        return line.append(" ".join(words))
    except SecbootError:
        return line
