"""The job of ``zipl`` without arguments (zipl/src/job.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.named_tuple import NamedTuple
from secboot.zipl import scan
from secboot.zipl.entry import BootEntry, LoadedFile, check_addresses
from secboot.zipl.file_facts import FileLookup, PathKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secboot.zipl.refusal import Findings
    from secboot.zipl.version import ZiplVersion

ABORTS = "zipl aborts"
"""The start of our message where zipl has none, because one of its assertions fails."""
_DUMP_TARGETS = 32
_MIN_IMAGE_SIZE = 0x10430 + 8
_SECURE_VALUES = {"auto", "0", "1"}
_KERNELS = {scan.EntryKind.IPL, scan.EntryKind.TAPE_IPL}
_NAMED_FILES = {
    scan.EntryKind.TAPE_IPL: (Keyword.TAPE, "Tape device"),
    scan.EntryKind.SEGMENT: (Keyword.SEGMENT, "Segment file"),
    scan.EntryKind.DUMP: (Keyword.DUMPTO, "Dump device"),
    scan.EntryKind.MVDUMP: (Keyword.MVDUMP, "Dump target list"),
}


class Placement(NamedTuple):
    """The section at `heading` is installed: its position in the menu, and whether it is the default.

    `position` is None without a menu. `skipped` means that zipl skips it, because it is optional
    and one of its files is missing.
    """

    heading: int
    position: int | None
    is_default: bool = False
    skipped: bool = False


class Job:
    """Determines from `tokens` what the default job installs, and records what zipl refuses."""

    def __init__(
        self,
        tokens: scan.TokenList,
        entries: Mapping[int, BootEntry],
        files: FileLookup,
        version: ZiplVersion,
        findings: Findings,
    ) -> None:
        self.tokens = tokens
        self.entries = entries
        self.files = files
        self.version = version
        self.findings = findings

    def run(self) -> tuple[Placement, ...]:
        """Return what would be installed, in zipl's output order."""
        heading = self.tokens.find(DEFAULTBOOT, scan.TokenKind.SECTION)
        if heading is None:
            return ()
        placements: tuple[Placement, ...] = ()
        for token in self.tokens.body(heading):
            if token.keyword is Keyword.DEFAULTMENU:
                placements = self._menu(token)
                break
            if token.keyword is Keyword.DEFAULT:
                placements = self._section(token)
                break
        for placement in placements:
            if not placement.skipped:
                self._check_added(self.entries[placement.heading])
        return placements

    def _check_added(self, entry: BootEntry) -> None:
        """Check what zipl only detects when it adds the files to the boot record."""
        if entry.kind is not scan.EntryKind.IPL:
            return
        for part, called in ((entry.image, "image file"), (entry.ramdisk, "ramdisk")):
            facts = None if part is None else self.files.look(part.path)
            if part is None or facts is None:
                continue
            if called == "ramdisk" and not facts.is_file and entry.optional:
                # Nothing is skipped outside a menu.
                message = f"Could not get information for file '{part.path}': {facts.reason}"
                self.findings.error("ramdisk", message, part.location)
            elif facts.is_file and not facts.size:
                self._report_empty(entry, part, called)

    def _report_empty(self, entry: BootEntry, part: LoadedFile, called: str) -> None:
        code = "ramdisk-empty" if called == "ramdisk" else "image-empty"
        if not self.version.asks_image_for_limit:
            what = f"Could not add {called} '{part.path}'"
            message = f"{what}: Could not read empty file '{part.path}'"
        elif called == "ramdisk":
            message = f"{ABORTS}: the ramdisk '{part.path}' of section '{entry.name}' is empty"
        else:
            return  # It is reported as too small for an image.
        self.findings.error(code, message, part.location, hint="is its file system full?")

    def _section(self, default: scan.Token) -> tuple[Placement, ...]:
        if default.text == DEFAULTBOOT:
            message = f"Special section '{DEFAULTBOOT}' cannot be used as target section"
            self.findings.error("default-is-defaultboot", message, default.location)
            return ()
        heading = self.tokens.find(default.text, scan.TokenKind.SECTION)
        if heading is None:
            return ()
        entry = self.entries[heading]
        keywords = self.tokens.leading_keywords(heading)
        self._check_section_data(entry, keywords)
        target = keywords.get(Keyword.TARGET)
        if entry.kind in {scan.EntryKind.IPL, scan.EntryKind.SEGMENT} and target is not None:
            self._check_target(target, entry.name, environment=entry.kind is scan.EntryKind.IPL)
        skipped = self._check_files(entry, keywords, in_menu=False)
        return (Placement(heading, None, is_default=True, skipped=skipped),)

    def _menu(self, default: scan.Token) -> tuple[Placement, ...]:
        heading = self.tokens.find(default.text, scan.TokenKind.MENU)
        if heading is None:
            message = f"Menu section '{default.text}' not found"
            self.findings.error("menu-missing", message, default.location)
            return ()
        body = self.tokens.body(heading)
        keywords = {token.keyword: token for token in body if token.keyword is not None}
        self._check_secure(keywords.get(Keyword.SECURE))
        members = self._members(body, default.text)
        target = keywords.get(Keyword.TARGET)
        if target is not None:
            self._check_target(target, default.text, environment=True)
        first = members[0].position if members else None
        chosen = keywords.get(Keyword.DEFAULT)
        position = scan.leading_int(chosen.text) if chosen is not None else first
        return self._checked_members(members, position, default)

    def _members(self, body: Sequence[scan.Token], menu: str) -> list[Placement]:
        members = []
        for token in body:
            heading = self.tokens.find(token.text, scan.TokenKind.SECTION)
            if token.kind is not scan.TokenKind.NUMBER or heading is None:
                continue
            if heading not in self.entries:
                message = f"Section '{token.text}' cannot be included in menu '{menu}'"
                self.findings.error("menu-kind", message, token.location)
                continue
            entry = self.entries[heading]
            self._check_section_data(entry, self.tokens.leading_keywords(heading))
            if entry.kind is not scan.EntryKind.IPL:
                message = f"Section '{entry.name}' cannot be included in menu '{menu}'"
                self.findings.error("menu-kind", message, entry.location)
            members.append(Placement(heading, token.number))
        return members

    def _checked_members(
        self, members: Sequence[Placement], default: int | None, at: scan.Token
    ) -> tuple[Placement, ...]:
        result = []
        for index, member in enumerate(members, 1):
            entry = self.entries[member.heading]
            keywords = self.tokens.leading_keywords(member.heading)
            skipped = entry.kind is scan.EntryKind.IPL and self._check_files(
                entry, keywords, in_menu=True
            )
            # Here zipl compares the default position with the index in the list.
            if skipped and index == default:
                new = self.version.asks_image_for_limit
                message = "Cannot ignore default entry" if new else "Can't ignore default entry."
                self.findings.error("default-ignored", message, at.location)
            is_default = member.position == default
            result.append(member._replace(is_default=is_default, skipped=skipped))
        return tuple(result)

    def _check_section_data(self, entry: BootEntry, keywords: Mapping[Keyword, scan.Token]) -> None:
        """Check what get_job_from_section_data checks."""
        if entry.kind not in _KERNELS:
            return
        if entry.parmfile is not None:
            facts = self.files.look(entry.parmfile.path)
            if not facts.is_file:
                message = (
                    f"Parmfile '{entry.parmfile.path}' in section '{entry.name}': {facts.reason}"
                )
                self.findings.error("parmfile", message, entry.parmfile.location)
        if not self.version.asks_image_for_limit:
            self._check_length(entry)
        if entry.kind is scan.EntryKind.TAPE_IPL:
            return
        kdump = keywords.get(Keyword.KDUMP)
        if kdump is not None and kdump.text != "auto":
            self.findings.error("kdump", f"Invalid kdump setting '{kdump.text}'", kdump.location)
        self._check_secure(keywords.get(Keyword.SECURE))

    def _check_secure(self, token: scan.Token | None) -> None:
        if token is not None and token.text not in _SECURE_VALUES:
            message = f"Invalid secure boot setting '{token.text}'"
            self.findings.error("secure", message, token.location)

    def _check_target(self, token: scan.Token, name: str, *, environment: bool) -> None:
        facts = self.files.look(token.text)
        if facts.kind is PathKind.DIRECTORY:
            return
        if facts.kind is PathKind.MISSING and environment and self.version.reads_environment:
            message = f"Could not open bootmap dir: {facts.reason}"
        else:
            reason = facts.reason if facts.kind is PathKind.MISSING else "Not a directory"
            message = f"Target directory '{token.text}' in section '{name}': {reason}"
        self.findings.error("target-directory", message, token.location)

    def _check_files(
        self, entry: BootEntry, keywords: Mapping[Keyword, scan.Token], *, in_menu: bool
    ) -> bool:
        """Check the files of an entry; return whether it is skipped because one is missing."""
        if entry.kind in _NAMED_FILES:
            self._check_named_file(entry, keywords)
        if entry.kind not in _KERNELS:
            return False
        entry = entry._replace(optional=entry.optional and entry.kind is scan.EntryKind.IPL)
        skipped = self._check_kernel(entry, may_skip=in_menu and entry.optional)
        if not skipped:
            check_addresses(entry, self.files, self.version, self.findings)
        return skipped

    def _check_kernel(self, entry: BootEntry, *, may_skip: bool) -> bool:
        skipped = False
        if entry.image is not None:
            skipped = self._check_image(entry, entry.image, may_skip=may_skip)
        if entry.ramdisk is not None:
            facts = self.files.look(entry.ramdisk.path)
            if not facts.is_file and entry.optional:
                skipped = may_skip
            elif not facts.is_file:
                self._report_file("ramdisk", entry, entry.ramdisk, facts.reason)
        return skipped

    def _check_image(self, entry: BootEntry, image: LoadedFile, *, may_skip: bool) -> bool:
        facts = self.files.look(image.path)
        if not facts.is_file:
            if not may_skip:
                self._report_file("image", entry, image, facts.reason)
            return may_skip
        if self.version.asks_image_for_limit:
            if facts.size < _MIN_IMAGE_SIZE:
                message = f"Image file '{image.path}' in section '{entry.name}'"
                hint = f"{facts.size} bytes are too few for a kernel: was it copied completely?"
                self.findings.error("image-small", message, image.location, hint=hint)
            else:
                self._check_length(entry)
        return False

    def _report_file(self, kind: str, entry: BootEntry, file: LoadedFile, reason: str) -> None:
        if not self.version.asks_image_for_limit:
            message = f"{kind.capitalize()} file '{file.path}' in section '{entry.name}': {reason}"
        elif kind == "image":
            message = f"Section '{entry.name}': Could not read image file '{file.path}': {reason}"
        else:
            message = f"Section '{entry.name}': Missing ramdisk file '{file.path}': {reason}"
        self.findings.error(kind, message, file.location)

    def _check_length(self, entry: BootEntry) -> None:
        limit = entry.max_parm_size
        if limit is None or entry.parmline_length <= limit:
            return
        where = f" in section '{entry.name}'" if self.version.asks_image_for_limit else ""
        message = (
            f"The length of the parameters line ({entry.parmline_length} bytes)"
            f" exceeds the allowed maximum ({limit} bytes){where}"
        )
        self.findings.error(
            "parameters-length", message, entry.parameters_location or entry.location
        )

    def _check_named_file(self, entry: BootEntry, keywords: Mapping[Keyword, scan.Token]) -> None:
        """Check a device, a segment file, or the device list of a dump."""
        keyword, called = _NAMED_FILES[entry.kind]
        token = keywords[keyword]
        path = token.text
        if keyword is Keyword.SEGMENT:
            path, _ = scan.split_address(path)
        elif keyword is not Keyword.TAPE:
            path = _without_memory_size(path)
        facts = self.files.look(path)
        is_device = keyword in {Keyword.TAPE, Keyword.DUMPTO}
        if facts.is_file and keyword is Keyword.MVDUMP:
            self._check_dump_targets(path, token)
        if facts.kind is PathKind.OTHER if is_device else facts.is_file:
            return
        no_device = is_device and facts.kind is not PathKind.MISSING
        reason = "Not a device" if no_device else facts.reason
        message = f"{called} '{path}' in section '{entry.name}': {reason}"
        self.findings.error("device" if is_device else "file", message, token.location)

    def _check_dump_targets(self, path: str, token: scan.Token) -> None:
        """Check the device list of a multi-volume dump, one per line (get_mvdump_list)."""
        if not self.files.look(path).readable:
            return
        text = self.files.read_text(path)
        # zipl ignores a line without a line end, and anything after a NUL.
        targets = [line.partition("\0")[0] for line in text.split("\n")[:-1] if line]
        if not text:
            message = f"Dump target list '{path}' is empty."
            self.findings.error("device", message, token.location)
        if len(targets) > _DUMP_TARGETS:
            message = f"Dump target list '{path}' contains more than {_DUMP_TARGETS} entries."
            self.findings.error("device", message, token.location)
            return
        for target in targets:
            facts = self.files.look(target)
            if facts.kind is not PathKind.OTHER:
                missing = facts.kind is PathKind.MISSING
                reason = facts.reason if missing else "Not a block device"
                message = f"Dump target '{target}': {reason}"
                self.findings.error("device", message, token.location)


def _without_memory_size(value: str) -> str:
    """Remove ``,size`` as extract_memsize in job.c does."""
    path, comma, rest = value.rpartition(",")
    return path if comma and rest.lstrip(" \t\n\v\f\r+-")[:1].isdigit() else value
