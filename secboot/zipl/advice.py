"""Warnings: accepted by zipl, but will not work as meant."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.zipl.entry import BootEntry, EntryToInstall, LoadedFile, Origin
from secboot.zipl.file_facts import PathKind
from secboot.zipl.scan import EntryKind
from secboot.zipl.version import NEWEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.formats.bls_entry import BlsEntry
    from secboot.formats.zipl_conf import ZiplConf
    from secboot.zipl.file_facts import FileLookup
    from secboot.zipl.refusal import Findings
    from secboot.zipl.version import ZiplVersion

SCSI_MENU_POSITIONS = 30
"""The highest menu position on a SCSI disk (zipl/src/bootmap.c)."""

_BOOT_IMAGE_BYTES = 14
_VARIABLE = r"\$(?:\{([^}]*)\}|[A-Za-z_][A-Za-z0-9_]*)"
_NAME = r"\$[A-Za-z_][A-Za-z0-9_]*"
_ENVIRONMENT_NAME = "[A-Z][A-Z0-9_]*"
_COMMENT = re.compile(r"(?:^|[ \t])#")
TITLE_HINT = (
    "zipl misreads an entry with any line above its title, even a comment: move the title line to"
    " the top of the file"
)
_CLEAN_ADDRESS = "(?:0[xX])?[0-9a-fA-F]+"


def advise(
    conf: ZiplConf,
    bls: Sequence[BlsEntry],
    entries: Sequence[BootEntry],
    to_install: Sequence[EntryToInstall],
    files: FileLookup,
    version: ZiplVersion,
    findings: Findings,
) -> None:
    """Record all warnings about files, entries, and the entries that would be installed."""
    if version.is_newer_than_model:
        message = f"zipl {version} is newer than {NEWEST}, the newest that this secboot knows"
        hint = "its rules may differ: check for a newer secboot"
        findings.warn("newer-release", message, Location(conf.path), hint)
    _advise_on_bls(bls, version, findings)
    for entry in entries:
        _advise_on_line(entry, version, findings)
        for part in (entry.image, entry.ramdisk, entry.parmfile):
            if part is not None:
                _advise_on_file(part, findings)
        installed = entry.is_default or entry.menu_position is not None
        _advise_on_paths(entry, files, findings, installed=installed)
    for member in to_install:
        _advise_on_member(member, findings)
    _advise_on_default(conf, entries, findings)


def _advise_on_bls(entries: Sequence[BlsEntry], version: ZiplVersion, findings: Findings) -> None:
    """Warn about BLS entry files that zipl does not read as expected."""
    for entry in entries:
        _advise_on_title(entry, findings)
        for field in entry.scan.fields:
            if field.key != field.meaning:
                message = f"zipl interprets the key '{field.key}' as '{field.meaning}'"
                at = Location(entry.path, field.line, field.column)
                findings.warn("bls-abbreviated-key", message, at)
        if entry.path.rpartition("/")[2].startswith("."):
            message = "zipl reads this file as a boot entry although its name starts with a dot"
            findings.warn("bls-hidden-file", message, Location(entry.path))
    if version.sorts_bls_by_version and all(entry.version for entry in entries):
        counted = Counter(entry.version for entry in entries)
        for entry in entries:
            if counted[entry.version] > 1:
                message = (
                    f"several entries have the version '{entry.version}': their order is undefined"
                )
                findings.warn("bls-same-version", message, Location(entry.path))


def title_location(entry: BlsEntry) -> Location:
    """Return the location of the title, or the first title; without one, the file."""
    number = next((line.number for line in entry.lines if line.text.startswith("title")), None)
    return Location(entry.path, number, None if number is None else 1)


def title_is_below(entry: BlsEntry) -> bool:
    """Whether zipl uses the length of the last line as the length of the title line."""
    titles = [line for line in entry.lines if line.text.startswith("title")]
    return len(titles) == 1 and not entry.text.startswith("title")


def _advise_on_title(entry: BlsEntry, findings: Findings) -> None:
    if not title_is_below(entry) or entry.problems:
        # If zipl refuses the entry, the refusal names this cause.
        return
    if not entry.misread:
        message = (
            "the title is not on the first line: zipl will misread the entry when its last line"
            " changes"
        )
        findings.warn("bls-title-below", message, title_location(entry), TITLE_HINT)
    else:
        message = "zipl misreads this entry because its title is not on the first line"
        findings.warn("bls-misread", message, title_location(entry), TITLE_HINT)


def _advise_on_line(entry: BootEntry, version: ZiplVersion, findings: Findings) -> None:
    at = entry.parameters_location or entry.location
    line = entry.parmline if entry.parmline is not None else entry.parameters or ""
    for found in _unexpanded(line, version):
        message = f"zipl does not expand '{found}': the kernel receives it literally"
        findings.warn("unexpanded-variable", message, at)
    own = entry.parameters or ""
    of_file = line.removesuffix(own) if entry.parmfile is not None else ""
    if _COMMENT.search(own):
        message = "zipl has no trailing comments: the kernel receives all of it"
        findings.warn("inline-comment", message, at, "put the comment on a separate line")
    if entry.parmfile is not None and _COMMENT.search(of_file):
        message = f"parmfiles have no comments: the kernel receives all of {entry.parmfile.path}"
        findings.warn("inline-comment", message, entry.parmfile.location, "remove the comment")
    if own.endswith("\r"):
        message = "the value ends with a carriage return, which the kernel receives"
        findings.warn("carriage-return", message, at, "use Unix line endings")
    if entry.parmfile is not None and "\r" in of_file:
        message = f"{entry.parmfile.path} has carriage returns, which the kernel receives"
        findings.warn("carriage-return", message, entry.parmfile.location, "use Unix line endings")
    if not line.isascii():
        message = "a byte above 0x7f makes the kernel read the whole line as EBCDIC"
        findings.warn("not-ascii", message, at, "use only ASCII characters")


def _unexpanded(line: str, version: ZiplVersion) -> Iterator[str]:
    """Yield what is a variable in a shell, but not for zipl."""
    if "$" not in line:
        return
    # No variable in braces can end after the last brace, so do not search for one there.
    end = line.rfind("}") + 1
    for found in re.finditer(_VARIABLE, line[:end]):
        name = found[1]
        known = name is not None and re.fullmatch(_ENVIRONMENT_NAME, name)
        if not known or not version.reads_environment:
            yield found[0]
    yield from re.findall(_NAME, line[end:])


def _advise_on_file(part: LoadedFile, findings: Findings) -> None:
    if part.address is None:
        return
    written = part.token.text.rpartition(",")[2]
    if not re.fullmatch(_CLEAN_ADDRESS, written):
        message = f"zipl interprets ',{written}' as a load address, not as part of the file name"
        findings.warn("address-in-name", message, part.location)


def _advise_on_paths(
    entry: BootEntry, files: FileLookup, findings: Findings, *, installed: bool
) -> None:
    """Warn about relative, missing and unreadable files; zipl itself checks those that it installs."""
    if entry.kind not in {EntryKind.IPL, EntryKind.TAPE_IPL}:
        return
    for part, called in (
        (entry.image, "image"),
        (entry.ramdisk, "ramdisk"),
        (entry.parmfile, "parmfile"),
    ):
        if part is None:
            continue
        facts, named = files.look(part.path), f"the {called} '{part.path}' of '{entry.name}'"
        if part.path and not part.path.startswith("/"):
            message = f"{named} is relative to the directory where zipl runs (assuming /)"
            findings.warn("relative-path", message, part.location, f"write /{part.path}")
        if facts.kind is PathKind.UNREADABLE and part is not entry.ramdisk:
            what = "line" if part is entry.parmfile else "maximum line length"
            message = f"no permission to read {named}: its {what} is unknown"
            findings.warn("file-unread", message, part.location, "run secboot as root")
        elif not facts.is_file and not installed:
            message = f"{named} can't be read: {facts.reason}"
            findings.warn("file-missing", message, part.location)


def _advise_on_member(member: EntryToInstall, findings: Findings) -> None:
    entry = member.entry
    _advise_on_length(entry, findings, in_menu=member.position is not None)
    if member.skipped:
        message = f"zipl skips '{entry.name}': it is optional, and one of its files is missing"
        findings.warn("optional-skipped", message, entry.location)
    if (member.position or 0) > SCSI_MENU_POSITIONS:
        message = (
            f"menu position {member.position} of '{entry.name}' is above"
            f" {SCSI_MENU_POSITIONS}, the highest position on a SCSI disk"
        )
        findings.warn("menu-position", message, entry.location)


def _advise_on_length(entry: BootEntry, findings: Findings, *, in_menu: bool) -> None:
    limit = entry.max_parm_size
    length = entry.parmline_length
    if limit is None or length > limit:
        return
    at = entry.parameters_location or entry.location
    if length == limit:
        message = f"the parameter line has {length} bytes: the last one is lost at IPL"
        findings.warn("parameters-cut", message, at)
    elif in_menu and length > limit - 1 - _BOOT_IMAGE_BYTES:
        message = (
            f"the parameter line has {length} of {limit - 1} bytes: the boot menu"
            " adds ' BOOT_IMAGE=' and a number"
        )
        findings.warn("parameters-tight", message, at)


def _advise_on_default(conf: ZiplConf, entries: Sequence[BootEntry], findings: Findings) -> None:
    """Warn if a section is the default only because it comes first, and not by name."""
    section = conf.section(DEFAULTBOOT)
    if section is not None and (section.get(Keyword.DEFAULT) or section.get(Keyword.DEFAULTMENU)):
        return
    default = next((entry for entry in entries if entry.is_default), None)
    has_bls = any(entry.origin is Origin.BLS for entry in entries)
    if default is not None and default.origin is Origin.SECTION and has_bls:
        message = f"section '{default.name}' is the default because it precedes all BLS entries"
        hint = "set the default with 'default=' in [defaultboot]"
        findings.warn("section-before-bls", message, default.location, hint)
