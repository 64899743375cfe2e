"""rpm's order of versions, by which the zipl of Red Hat and Fedora sorts BLS entries.

Their s390utils carries a patch to zipl's scan.c (s390-tools-zipl-blscfg-rpm-nvr-sort.patch) that
takes a file's name for that of a package, NAME-VERSION-RELEASE, and asks librpm's ``rpmvercmp``.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(r"~|\^|[A-Za-z]+|[0-9]+")
_TILDE, _END, _CARET, _LETTERS, _DIGITS = range(5)

Token = tuple[int, int, str]
"""What it is, in the order of rpm; for a number, how many digits count; and its text."""


def rpm_version_key(version: str) -> tuple[Token, ...]:
    """Return a sort key that orders versions as ``rpmvercmp`` does (rpm 4.15 on).

    Runs of letters and runs of digits are compared one after the other: digits beat letters, and
    numbers count by their value, of whatever length. A ``~`` sorts before the end of the text, a
    ``^`` behind it and before all else. Other characters only separate.
    """
    return (*map(_token, _TOKEN.findall(version)), (_END, 0, ""))


def package_key(file_name: str) -> tuple[tuple[Token, ...], ...]:
    """Return a sort key for the file name of a BLS entry, with its ``.conf``.

    The last two hyphens end the name and the version. The patch means to cut ``.conf`` off and
    does not, so that it counts as the end of the release: ``1^git`` comes before ``1``.
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
