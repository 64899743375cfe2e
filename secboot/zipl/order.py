"""The order of BLS entries in upstream zipl and in Red Hat's and Fedora's; the order of releases.

zipl compares with glibc's strverscmp(3). Unlike the version comparison of a package manager, it
does not know ``~`` and ``^``, and reads digits after a leading zero as a fraction: ``1.01`` sorts
before ``1.1``. The s390utils of Red Hat and Fedora have a patch to zipl's scan.c
(s390-tools-zipl-blscfg-rpm-nvr-sort.patch) that reads a file name as a package name,
NAME-VERSION-RELEASE, and compares with librpm's ``rpmvercmp``.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import TYPE_CHECKING

from secboot.formats.bls_entry import BlsEntry
from secboot.named_tuple import NamedTuple
from secboot.zipl.version import BlsOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.zipl.version import ZiplVersion

_PARTS = re.compile(r"[0-9]+")
_RUNS = re.compile(r"([^0-9]*)([0-9]*)")
_AFTER_LETTERS = 0x110000
_TOKEN = re.compile(r"~|\^|[A-Za-z]+|[0-9]+")
_TILDE, _END, _CARET, _LETTERS, _DIGITS = range(5)

Token = tuple[int, int, str]
"""Its kind, in rpm's order; for a number, its count of significant digits; and its text."""

Run = tuple[tuple[int, ...], int, str]
"""Non-digit characters, each with its rank in dpkg's order; then digit count and number after them."""
_END_OF_RUNS: Run = ((0,), 0, "")


class BlsFile(NamedTuple):
    """A file in the BLS directory: its path and text. Its name determines its order.

    `refused` says, in zipl's words, why zipl can't read the file.
    """

    path: str
    text: str
    refused: str | None = None

    @property
    def name(self) -> str:
        """The file name without directories."""
        return self.path.rpartition("/")[2]


def order_bls(files: Sequence[BlsFile], version: ZiplVersion) -> tuple[BlsEntry, ...]:
    """Return the entries in zipl's order, the newest first (scan_bls).

    Upstream compares file names with strverscmp, or since 2.22 the versions of the entries if
    every entry has one; Red Hat's zipl compares file names as rpm does. In zipl the order of equal
    versions is undefined; here it is that of their file names.
    """
    taken = [file for file in files if file.name.endswith(".conf") and file.refused is None]
    taken.sort(key=lambda file: version_key(file.name), reverse=True)
    if version.order is BlsOrder.RED_HAT:
        taken.sort(key=lambda file: package_key(file.name), reverse=True)
    entries = [BlsEntry.parse(file.text, file.path) for file in taken]
    versions = [entry.version for entry in entries]
    if version.sorts_bls_by_version and None not in versions:
        entries.sort(key=lambda entry: version_key(entry.version or ""), reverse=True)
    return tuple(entries)


def strverscmp(left: str, right: str) -> int:
    """Return a negative number, 0 or a positive number if `left` sorts before, with or after `right`.

    Characters compare as bytes of their encoding, which for UTF-8 is the order of code points.
    """
    position = _first_difference(left, right)
    if position is None:
        return 0
    start = position
    while start > 0 and _is_digit(left, start - 1):
        start -= 1
    if not _in_number(left, right, start, position):
        return _bytes_compare(left, right, position)
    left_run, right_run = _digits(left, start), _digits(right, start)
    if left_run.startswith("0") or right_run.startswith("0"):
        return _fraction_compare(left, right, start, position)
    if len(left_run) != len(right_run):
        return len(left_run) - len(right_run)
    return _bytes_compare(left, right, position)


version_key = cmp_to_key(strverscmp)
"""A sort key that orders strings as `strverscmp` does."""


def _first_difference(left: str, right: str) -> int | None:
    if left == right:
        return None
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


def _is_digit(text: str, position: int) -> bool:
    return position < len(text) and text[position] in "0123456789"


def _in_number(left: str, right: str, start: int, position: int) -> bool:
    """Whether the strings differ inside a run of digits, or at the end of one."""
    if start < position:
        return _is_digit(left, position) or _is_digit(right, position)
    return _is_digit(left, position) and _is_digit(right, position)


def _digits(text: str, start: int) -> str:
    found = _PARTS.match(text, start)
    return found.group() if found else ""


def _fraction_compare(left: str, right: str, start: int, position: int) -> int:
    """Compare two runs of digits, at least one of which starts with a zero.

    If both have only zeros up to the difference, the run with more leading zeros is less; after
    the zeros the digits compare one by one, and a longer run is greater.
    """
    only_zeros = set(left[start:position]) <= {"0"}
    if only_zeros and position > start:
        left_digit, right_digit = _is_digit(left, position), _is_digit(right, position)
        if left_digit != right_digit:
            return -1 if left_digit else 1
    return _bytes_compare(left, right, position)


def _bytes_compare(left: str, right: str, position: int) -> int:
    a = left[position:].encode(errors="surrogateescape")[:1]
    b = right[position:].encode(errors="surrogateescape")[:1]
    return (a > b) - (a < b)


def rpm_version_key(version: str) -> tuple[Token, ...]:
    """Return a sort key that orders versions as ``rpmvercmp`` does (rpm 4.15 or later).

    Runs of letters and runs of digits are compared in turn: digits are greater than letters, and
    numbers of any length compare by value. A ``~`` sorts before the end of the text, a ``^`` after
    the end and before everything else. Other characters are only separators.
    """
    return (*map(_token, _TOKEN.findall(version)), (_END, 0, ""))


def debian_version_key(version: str) -> tuple[tuple[Run, ...], tuple[Run, ...]]:
    """Return a sort key that orders versions as dpkg does (deb-version(7), "Sorting algorithm").

    The part after the last hyphen is compared last. Numbers compare by value; of the other
    characters, a ``~`` sorts before the end of the text, letters after it, and then the rest.
    """
    upstream, hyphen, revision = version.rpartition("-")
    return (_debian_key(upstream if hyphen else version), _debian_key(revision if hyphen else ""))


def _debian_key(text: str) -> tuple[Run, ...]:
    runs = [_debian_run(*run) for run in _RUNS.findall(text)]
    while runs and runs[-1] == _END_OF_RUNS:
        runs.pop()
    return (*runs, _END_OF_RUNS)


def _debian_run(others: str, digits: str) -> Run:
    order = (-1 if c == "~" else ord(c) + (0 if c.isalpha() else _AFTER_LETTERS) for c in others)
    number = digits.lstrip("0")
    return (*order, 0), len(number), number


def package_key(file_name: str) -> tuple[tuple[Token, ...], ...]:
    """Return a sort key for the file name of a BLS entry, with its ``.conf``.

    The last two hyphens end the name and the version. The patch intends to remove ``.conf`` but
    does not, so it is part of the release: ``1^git`` sorts before ``1``.
    """
    name, *others = file_name.rsplit("-", 2)
    version, release = [*others, "", ""][:2]
    return rpm_version_key(name), rpm_version_key(version), rpm_version_key(release)


def _token(text: str) -> Token:
    if text == "~":
        return _TILDE, 0, ""
    if text == "^":
        return _CARET, 0, ""
    if text[0].isdigit():
        number = text.lstrip("0")
        return _DIGITS, len(number), number
    return _LETTERS, 0, text
