"""How zipl reads a complete configuration: zipl.conf, the BLS entries, and the files they name.

It follows ``zipl`` without arguments (job.c: get_job_from_config_file and check_job_data), but
continues after a violation, so that one run finds all of them. Unlike zipl, it does not check
devices or its own permissions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.formats.zipl_conf import DEFAULTBOOT, ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import NO_ENVIRONMENT, ZiplenvFile, ZiplEnvironment
from secboot.named_tuple import NamedTuple
from secboot.zipl import scan
from secboot.zipl.advice import TITLE_HINT, advise, title_is_below, title_location
from secboot.zipl.defaultboot import build_automenu, check_defaultboot
from secboot.zipl.entry import BootEntry, EntryToInstall, entry_headings, read_entry
from secboot.zipl.job import Job, Placement
from secboot.zipl.order import BlsFile, order_bls
from secboot.zipl.refusal import Findings, Refusal
from secboot.zipl.sections import check_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.finding import Finding
    from secboot.formats.bls_entry import BlsEntry
    from secboot.formats.zipl_line import ConfLine
    from secboot.zipl.file_facts import FileLookup
    from secboot.zipl.version import ZiplVersion


_ROLES = {"prot_virt": "host", "swiotlb": "guest"}
"""The shipped profile that requires each parameter."""


_NO_FILE = "zipl reads everything named *.conf here as a boot entry: remove or rename it"


class ConfFile(NamedTuple):
    """The text of zipl.conf and its path, for messages."""

    path: str
    text: str


class BootConfiguration(NamedTuple):
    """The configuration as zipl interprets it.

    `bls` are the BLS entries in zipl's order, the newest first. `refusals` are violations in the
    order in which zipl would find them: the first is its verdict. `entries` are the sections of
    zipl.conf in the order of the file, then the BLS entries in zipl's order: all that can be read,
    even if zipl refuses something. `default` is the entry that the next IPL starts if nobody
    chooses another; `to_install` is what ``zipl`` without arguments would install. `environment`
    is what it would write into the boot record; None for a zipl that does not know variables.
    """

    conf: ZiplConf
    bls: tuple[BlsEntry, ...]
    version: ZiplVersion
    refusals: tuple[Refusal, ...]
    warnings: tuple[Finding, ...]
    entries: tuple[BootEntry, ...]
    to_install: tuple[EntryToInstall, ...]
    environment: ZiplEnvironment | None

    @property
    def accepted(self) -> bool:
        """Whether zipl accepts the configuration."""
        return not self.refusals

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What zipl refuses, as findings."""
        return tuple(refusal.finding for refusal in self.refusals)

    @property
    def default(self) -> BootEntry | None:
        """The entry that the next IPL starts if nobody chooses another."""
        return next((member.entry for member in self.to_install if member.is_default), None)


def interpret(
    conf: ConfFile,
    bls: Sequence[BlsFile],
    files: FileLookup,
    version: ZiplVersion,
    ziplenv: ZiplenvFile | None = None,
) -> BootConfiguration:
    """Read a complete configuration as this version of zipl does. Never raises for any text.

    `bls` are the files in the BLS directory in any order; like zipl, this ignores those whose name
    does not end in ``.conf``. `ziplenv` is /etc/ziplenv, None if it does not exist.
    """
    document = ZiplConf.parse(conf.text, conf.path)
    entries = order_bls(bls, version)
    findings = Findings()
    for file in bls:
        if file.refused is not None:
            findings.error("bls-file", file.refused, Location(file.path), hint=_NO_FILE)
    tokens = _scan(document, entries, version, findings)
    kind = check_defaultboot(tokens, conf.path, findings)
    if kind is scan.DefaultKind.AUTO:
        tokens = build_automenu(tokens, findings)
    check_all(tokens, findings)
    environment = _environment(ziplenv, version, findings)
    tokens = scan.resolve_paths(tokens, files)
    read = {index: read_entry(tokens, index, files, version) for index in entry_headings(tokens)}
    placements = Job(tokens, read, files, version, findings).run()
    marked = _mark(read, placements)
    to_install = tuple(
        EntryToInstall(marked[place.heading], place.position, place.is_default, place.skipped)
        for place in placements
    )
    found = tuple(marked.values())
    advise(document, entries, found, to_install, files, version, findings)
    return BootConfiguration(
        document,
        entries,
        version,
        findings.refusals,
        findings.warnings,
        found,
        to_install,
        environment,
    )


def _scan(
    conf: ZiplConf, entries: Sequence[BlsEntry], version: ZiplVersion, findings: Findings
) -> scan.TokenList:
    """Return all tokens in zipl's order (scan_file, scan_bls), and record what zipl refuses."""
    _report_syntax(conf, version, findings)
    tokens = scan.conf_tokens(conf)
    inherited = _inherited_target(scan.TokenList(tokens)) if version.bls_inherits_target else None
    for entry in entries:
        title = title_location(entry) if title_is_below(entry) else None
        for problem in entry.problems:
            code = problem.code.replace(".", "-")
            place, hint = problem.location or Location(entry.path), None
            if problem.code == "bls.field" and title is not None:
                # The field that zipl reports is a consequence; the title is the cause.
                place, hint = title, TITLE_HINT
            findings.error(code, problem.message, place, hint=hint)
        tokens += scan.entry_tokens(entry)
        if inherited is not None:
            tokens.append(inherited._replace(line=0, entry=entry))
    return scan.TokenList(tokens)


def _environment(
    ziplenv: ZiplenvFile | None, version: ZiplVersion, findings: Findings
) -> ZiplEnvironment | None:
    """Import the variables; zipl does so before it checks the files to install (envblk_import)."""
    if not version.reads_environment:
        return None
    if ziplenv is None:
        return NO_ENVIRONMENT
    for problem in ziplenv.problems:
        message = f"Failed to import environment file {ziplenv.path}: {problem.message}"
        findings.error(problem.code, message, problem.location or Location(ziplenv.path))
    return ziplenv.environment


def _report_syntax(conf: ZiplConf, version: ZiplVersion, findings: Findings) -> None:
    for line in conf.lines:
        location = Location(conf.path, line.number, line.column)
        if line.problem is not None:
            code = line.problem.code.removeprefix("zipl.")
            place = line.problem.location or location
            findings.error(code, line.problem.message, place, line.number, _misplaced(line))
        elif line.keyword is Keyword.OPTIONAL and not version.knows_optional:
            findings.error("unknown-keyword", "unknown keyword", location, line.number)


def _misplaced(line: ConfLine) -> str | None:
    """Return a hint for a kernel parameter where zipl expects a keyword."""
    found = re.match(r"[ \t]*[\"']?([A-Za-z0-9_.-]+)(?==|\s*$)", line.body)
    if found is None or line.problem is None or line.problem.code != "zipl.unknown-keyword":
        return None
    role = _ROLES.get(found[1].replace("-", "_"))
    if role is None:
        return f"{found[1]!r} is not a keyword of zipl.conf"
    return (
        f"{found[1]} is a kernel parameter: it belongs in parameters= of a section, or options of"
        f" a BLS entry\ndelete this line, then run: secboot apply {role}"
    )


def _inherited_target(tokens: scan.TokenList) -> scan.Token | None:
    """Return the `target` of ``[defaultboot]``, or of the menu that it names.

    zipl appends it to the fields of every BLS entry.
    """
    heading = tokens.find(DEFAULTBOOT, scan.TokenKind.SECTION)
    if heading is None:
        return None
    keywords = _first_keywords(tokens, heading)
    if Keyword.TARGET in keywords:
        return keywords[Keyword.TARGET]
    menu = keywords.get(Keyword.DEFAULTMENU)
    if menu is None:
        return None
    heading = tokens.find(menu.text, scan.TokenKind.MENU)
    return None if heading is None else _first_keywords(tokens, heading).get(Keyword.TARGET)


def _first_keywords(tokens: scan.TokenList, heading: int) -> dict[Keyword, scan.Token]:
    body = reversed(tokens.body(heading))
    return {token.keyword: token for token in body if token.keyword is not None}


def _mark(entries: dict[int, BootEntry], placements: Sequence[Placement]) -> dict[int, BootEntry]:
    """Set the first menu position of each entry, and mark the default."""
    marked = dict(entries)
    for placement in reversed(placements):
        entry = marked[placement.heading]
        default = entry.is_default or placement.is_default
        marked[placement.heading] = entry._replace(
            menu_position=placement.position, is_default=default
        )
    return marked
