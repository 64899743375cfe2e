"""Boot entries: everything that can be IPLed, as zipl would install it."""

from __future__ import annotations

import itertools
import re
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.formats.kernel_image import LEGACY_PARAMETER_LIMIT
from secboot.formats.text import byte_length
from secboot.formats.zipl_conf import DEFAULTBOOT
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import join_parameters
from secboot.named_tuple import NamedTuple
from secboot.zipl import scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.errors import Location
    from secboot.formats.bls_entry import BlsEntry
    from secboot.zipl.file_facts import FileLookup
    from secboot.zipl.refusal import Findings
    from secboot.zipl.version import ZiplVersion


_RESCUE = re.compile(r"(?<![0-9.])0-rescue(?![A-Za-z])")
"""dracut's version of a rescue entry; ``5.10-rescue`` and ``4.18.0-rescue`` are kernel releases."""
TRIAL_SECTION = "secboot-trial"
TRIAL_TITLE = " (secboot trial)"
"""The name of a trial's section, and the end of the title of a trial's BLS entry."""
_BLOCK = 4096
_LOWEST = 0x10000
_LIMIT = 0x80000000
_OLD_KDUMP_LIMIT = 0x2000000
_PARAMETER_AREA = 0x10000
_ADDRESS_MASK = (1 << 64) - 1


class Origin(StrEnum):
    """Where an entry is defined."""

    SECTION = "zipl.conf section"
    BLS = "BLS entry"


class LoadedFile(NamedTuple):
    """A file that is loaded: its path as zipl opens it, and its load address if specified."""

    path: str
    address: int | None
    token: scan.Token

    @property
    def location(self) -> Location:
        """Where the file is named."""
        return self.token.location


class BootEntry(NamedTuple):
    """One section of zipl.conf, or one BLS entry.

    `name` is the name of the section or the BLS title, the only name in zipl. `line` counts from
    1 in the file `path`. `parameters` is the value of ``parameters=`` or ``options`` without
    quotes, None if not set; it is at `parameters_location`. `parmline` is what zipl would install:
    the parmfile's line joined with `parameters`; None if there is neither, or if the parmfile
    can't be read. `max_parm_size` is the longest line that zipl accepts for this kernel, in bytes
    (the last byte is lost at IPL); None if the kernel can't be read. `target` is the directory of
    the boot record, inherited or not.
    """

    name: str
    kind: scan.EntryKind
    origin: Origin
    location: Location
    image: LoadedFile | None = None
    ramdisk: LoadedFile | None = None
    parmfile: LoadedFile | None = None
    parameters: str | None = None
    parameters_location: Location | None = None
    parmline: str | None = None
    max_parm_size: int | None = None
    target: str | None = None
    optional: bool = False
    kdump: bool = False
    bls: BlsEntry | None = None
    menu_position: int | None = None
    is_default: bool = False

    @property
    def path(self) -> str:
        """The file that defines the entry."""
        return self.location.path

    @property
    def line(self) -> int | None:
        """The line of its heading or title, from 1."""
        return self.location.line

    @property
    def is_rescue(self) -> bool:
        """Whether this is a rescue entry: its name is rescue, or dracut's naming applies.

        dracut's 51-dracut-rescue.install names kernel, version and file ``0-rescue-MACHINE_ID``; on
        RHEL 7, grubby names the section ``linux-0-rescue-MACHINE_ID``.
        """
        if self.name.lower() == "rescue":
            return True
        paths = (None if self.bls is None else self.path, self.image and self.image.path)
        names = [(path or "").rpartition("/")[2] for path in paths]
        version = None if self.bls is None else self.bls.version
        return any(_RESCUE.search(text or "") for text in (self.name, version, *names))

    @property
    def is_trial(self) -> bool:
        """Whether, by its name, it tries a change for one IPL; profiles do not apply to it."""
        return self.name == TRIAL_SECTION or self.name.endswith(TRIAL_TITLE)

    @property
    def parmline_length(self) -> int:
        """The length of `parmline` in bytes, without a terminating NUL."""
        return byte_length(self.parmline or "")


class EntryToInstall(NamedTuple):
    """An entry that ``zipl`` without arguments would install.

    `position` is its number in the boot menu, None without a menu. `skipped` means that zipl
    skips it, because it is optional and one of its files is missing.
    """

    entry: BootEntry
    position: int | None
    is_default: bool
    skipped: bool = False


def read_entry(
    tokens: scan.TokenList, heading: int, files: FileLookup, version: ZiplVersion
) -> BootEntry:
    """Return the entry of the section at `heading`."""
    start = tokens[heading]
    keywords = tokens.leading_keywords(heading)
    parameters = keywords.get(Keyword.PARAMETERS)
    image = loaded_file(keywords, Keyword.IMAGE)
    parmfile = loaded_file(keywords, Keyword.PARMFILE)
    target = keywords.get(Keyword.TARGET)
    optional = keywords.get(Keyword.OPTIONAL)
    kdump = keywords.get(Keyword.KDUMP)
    return BootEntry(
        name=start.text,
        kind=scan.entry_kind(keywords),
        origin=Origin.SECTION if start.entry is None else Origin.BLS,
        location=start.location,
        image=image,
        ramdisk=loaded_file(keywords, Keyword.RAMDISK),
        parmfile=parmfile,
        parameters=parameters.text if parameters is not None else None,
        parameters_location=parameters.location if parameters is not None else None,
        parmline=_parmline(parmfile, parameters, files),
        max_parm_size=_limit(image, files, version),
        target=target.text if target is not None else None,
        optional=optional is not None
        and (version.takes_any_optional or scan.leading_int(optional.text) == 1),
        kdump=kdump is not None and kdump.text == "auto",
        bls=start.entry,
    )


def entry_headings(tokens: scan.TokenList) -> list[int]:
    """Return the indexes of the headings of boot entries."""
    return [
        index
        for index, token in enumerate(tokens)
        if token.kind is scan.TokenKind.SECTION and token.text != DEFAULTBOOT
    ]


def loaded_file(keywords: Mapping[Keyword, scan.Token], keyword: Keyword) -> LoadedFile | None:
    """Return the file that `keyword` names."""
    token = keywords.get(keyword)
    if token is None:
        return None
    path, address = scan.split_address(token.text)
    return LoadedFile(path, address, token)


def _parmline(
    parmfile: LoadedFile | None, parameters: scan.Token | None, files: FileLookup
) -> str | None:
    text = None
    if parmfile is not None:
        if not files.look(parmfile.path).readable:
            return None
        text = files.read_text(parmfile.path)
    return join_parameters(text, parameters.text if parameters is not None else None)


def _limit(image: LoadedFile | None, files: FileLookup, version: ZiplVersion) -> int | None:
    if image is None:
        return None
    if not version.asks_image_for_limit:
        return LEGACY_PARAMETER_LIMIT
    facts = files.look(image.path)
    if facts.max_parm_size is None:
        return None
    return facts.max_parm_size or LEGACY_PARAMETER_LIMIT


class _Placed(NamedTuple):
    name: str
    address: int
    size: int

    @property
    def end(self) -> int:
        return (self.address + self.size) & _ADDRESS_MASK


def check_addresses(
    entry: BootEntry, files: FileLookup, version: ZiplVersion, findings: Findings
) -> None:
    """Check the specified load addresses of an entry's kernel, parameter line and ramdisk.

    That is check_component_address_data in zipl/src/job.c.

    Only addresses in the configuration are checked (a kernel's default is 0x10000); zipl chooses
    the others itself. For kdump, newer versions get a lower limit from the machine, which is
    unknown here.
    """
    old_kdump = entry.kdump and not version.asks_machine_for_kdump_limit
    limit = _OLD_KDUMP_LIMIT if old_kdump else _LIMIT
    placed = sorted(_placed(entry, files, version), key=lambda part: part.address)
    for part in placed:
        if part.end > limit:
            what = f"Component '{part.name}' exceeds available address space"
            _report(entry, f"{what} (limit is 0x{limit:08x})", findings)
            return
        if part.address < _LOWEST:
            what = f"Component '{part.name}' falls below available address space"
            _report(entry, f"{what} (limit is 0x{_LOWEST:08x})", findings)
            return
    for part, after in itertools.pairwise(placed):
        if part.end > after.address:
            _report(entry, f"Components '{part.name}' and '{after.name}' overlap", findings)
            return


def _report(entry: BootEntry, message: str, findings: Findings) -> None:
    location = entry.image.location if entry.image is not None else entry.location
    findings.error("load-address", f"Section '{entry.name}': {message}", location)


def _placed(entry: BootEntry, files: FileLookup, version: ZiplVersion) -> list[_Placed]:
    parts = []
    if entry.image is not None:
        address = _LOWEST if entry.image.address is None else entry.image.address
        parts.append(_Placed("kernel image", address, _image_size(entry, files, version)))
    if entry.parmfile is not None and entry.parmfile.address is not None:
        area = _PARAMETER_AREA if version.asks_image_for_limit else LEGACY_PARAMETER_LIMIT
        parts.append(_Placed("parmline", entry.parmfile.address, _blocks(area)))
    if entry.ramdisk is not None and entry.ramdisk.address is not None:
        size = _blocks(files.look(entry.ramdisk.path).size)
        parts.append(_Placed("initial ramdisk", entry.ramdisk.address, size))
    return parts


def _image_size(entry: BootEntry, files: FileLookup, version: ZiplVersion) -> int:
    size = files.look(entry.image.path).size if entry.image is not None else 0
    if entry.kind is scan.EntryKind.TAPE_IPL and not version.asks_image_for_limit:
        # The tape loader skips the first 64 KiB and needs some space after the image.
        return _blocks(_blocks(max(size - _LOWEST, 0)) + 0x100)
    return _blocks(size)


def _blocks(size: int) -> int:
    return (size + _BLOCK - 1) // _BLOCK * _BLOCK
