"""Reads zipl's output: the verdict, the refused line, the entries it would install."""

import re
from dataclasses import dataclass
from typing import Final

ACCEPTED_WITHOUT_ROOT: Final = "Must be root to perform this operation"
"""zipl checks rights last, after syntax, sections, files and lengths (zipl.c: main), so this error
in an ordinary user's dry run means that everything else was accepted."""

_NOISE = ("Using ", "Looking for ", "Starting ", "Warning: ", "Could not open /proc", "Run ")
_LINE = re.compile(r"Line (\d+): ")
_BLS = re.compile(r"^Using BLS config file '(.*)'$", re.MULTILINE)
_ENTRY = re.compile(r"^Adding (?:#(\d+): )?(.*?)section '(.*)'((?: \([a-z]+\))*)$")
_FIELD = re.compile(r"^  (kernel image|kernel parmline|initial ramdisk)\.*: (.*)$")


@dataclass(frozen=True, slots=True)
class InstalledEntry:
    """One boot entry as zipl reports that it would install it. ``number`` is None outside a menu."""

    number: int | None
    name: str
    default: bool
    image: str = ""
    ramdisk: str | None = None
    parmline: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """zipl's result for a configuration.

    ``error`` is the first error message (empty if accepted), ``line`` the line number in it (None
    without one; 0 for problems of a BLS section), ``bls_order`` the names of the BLS files in zipl's
    order, ``entries`` the list from a privileged dry run or a real run; ``output`` is everything,
    with undecodable bytes as surrogates.
    """

    accepted: bool
    error: str
    line: int | None
    bls_order: tuple[str, ...]
    entries: tuple[InstalledEntry, ...]
    output: str

    @property
    def default(self) -> InstalledEntry | None:
        """The entry that an IPL without LOADPARM boots."""
        return next((entry for entry in self.entries if entry.default), None)

    def parmlines(self) -> dict[str, str | None]:
        """Parameter line by entry name."""
        return {entry.name: entry.parmline for entry in self.entries}


def read_verdict(stdout: str, stderr: str, status: int) -> Verdict:
    """Interpret the output of one zipl run with -V."""
    accepted = status == 0 or ACCEPTED_WITHOUT_ROOT in stderr
    complaints = [line for line in stderr.split("\n") if line and not line.startswith(_NOISE)]
    error = "" if accepted else " ".join(complaints).removeprefix("Error: ")
    named = _LINE.search(error)
    order = tuple(path.rpartition("/")[2] for path in _BLS.findall(stdout))
    line = int(named[1]) if named else None
    return Verdict(accepted, error, line, order, read_entries(stdout), stdout + stderr)


def read_entries(stdout: str) -> tuple[InstalledEntry, ...]:
    """Collect the "Adding ..." blocks of zipl's output, in its order."""
    entries: list[InstalledEntry] = []
    fields: dict[str, str] = {}
    heading: re.Match[str] | None = None

    def finish() -> None:
        if heading is not None:
            number, _, name, notes = heading.groups()
            entries.append(
                InstalledEntry(
                    int(number) if number else None,
                    name,
                    "(default)" in notes,
                    fields.get("kernel image", ""),
                    fields.get("initial ramdisk"),
                    fields.get("kernel parmline"),
                )
            )

    for line in stdout.split("\n"):
        if started := _ENTRY.match(line):
            finish()
            heading, fields = started, {}
        elif shown := _FIELD.match(line):
            fields[shown[1]] = _unquoted(shown[1], shown[2])
    finish()
    return tuple(entries)


def _unquoted(name: str, text: str) -> str:
    """The parameter line is in single quotes, whatever it contains."""
    return text[1:-1] if name == "kernel parmline" else text
