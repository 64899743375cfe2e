"""grub.cfg: the menu that GRUB builds from it, and the entry that starts by default."""

from __future__ import annotations

import re
from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from secboot.errors import ParseError
from secboot.formats.grub_run import Loaded, Run
from secboot.formats.grub_script import SimpleCommand, parse_script
from secboot.formats.grub_variables import Unknown
from secboot.formats.numbers import at_most
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.formats.grub_run import Item
    from secboot.formats.grub_script import Statement
    from secboot.formats.grub_variables import Files, Value

_WITH_VALUE = frozenset({"--class", "--users", "--hotkey", "--source", "--id"})
_NUMBER = re.compile(r"[ \t]*(0[xX][0-9a-fA-F]+|\d+)", re.ASCII)
"""GRUB 2.06 reads a text that starts with a number as that number (grub_strtoul); others do not."""
_PART = re.compile(r"^### (?:BEGIN (/\S+)|END /\S+) ###$", re.MULTILINE)


class MenuEntry(NamedTuple):
    """A line of the menu, defined on line `number` of a file; `place` is its position, from 0.

    `script` is the script in /etc/grub.d that wrote it into grub.cfg, according to the comments of
    grub2-mkconfig there; None without such a comment.

    `kernel`, `parameters` (as the kernel receives them) and `ramdisk` are what the entry starts;
    None if it starts nothing, or if this is unknown; then `unsure` says why. `linux_number` is the
    line of the ``linux`` command. A submenu has `children` instead. `doubt` says why the entry may
    be missing from the menu, or have another one in its place.
    """

    path: str
    number: int
    title: str
    place: tuple[int, ...]
    id: str | None = None
    kernel: str | None = None
    parameters: str | None = None
    ramdisk: str | None = None
    linux_number: int | None = None
    unsure: str | None = None
    doubt: str | None = None
    script: str | None = None
    children: tuple[MenuEntry, ...] | None = None


class GrubMenu(NamedTuple):
    """The menu and its default entry; `unsure` says why the default is unknown.

    `once` means that the default is for a single boot (grub2-once).
    """

    entries: tuple[MenuEntry, ...]
    default: MenuEntry | None
    unsure: str | None = None
    once: bool = False

    def walk(self) -> Iterator[MenuEntry]:
        """All entries except submenus, in the order of the menu."""
        yield from _leaves(self.entries)


class GrubCfg(NamedTuple):
    """The parsed script; `problem` says why it could not be parsed.

    `scripts` are the scripts that wrote it, each with the line on which its part starts; an empty
    name stands for text between two parts.
    """

    path: str
    statements: tuple[Statement, ...]
    problem: ParseError | None = None
    scripts: tuple[tuple[int, str], ...] = ()

    @classmethod
    def parse(cls, text: str, path: str = "grub.cfg") -> GrubCfg:
        """Read any text. Never raises."""
        try:
            statements = tuple(parse_script(text, path))
        except ParseError as error:
            return cls(path, (), error)
        return cls(path, statements, None, tuple(_parts(text)))

    def menu(self, files: Files) -> GrubMenu:
        """Return the menu that GRUB builds, given the contents of other files."""
        if self.problem is not None:
            return GrubMenu((), None, f"{self.problem.location}: {self.problem.message}")
        run = Run(files, self.path)
        run.run(self.statements)
        entries = tuple(self._attributed(entry) for entry in _entries(run, ()))
        wanted = run.variable("default")
        default, unsure = _default(entries, "" if wanted is None else wanted)
        return GrubMenu(entries, default, unsure, run.variable("boot_once") == "true")

    def _attributed(self, entry: MenuEntry) -> MenuEntry:
        """Return the entry with the script that wrote it."""
        number = bisect_right(self.scripts, entry.number, key=itemgetter(0)) - 1
        script = self.scripts[number][1] if entry.path == self.path and number >= 0 else ""
        children = entry.children and tuple(self._attributed(each) for each in entry.children)
        return entry._replace(script=script or None, children=children)


def parameters_in_script(text: str) -> str | None:
    """Return what the kernel receives of the parameters after ``linux`` in a script.

    grub2-emu splits the words and joins them with single blanks (grub-core/loader/emu/linux.c),
    so quotes are lost. None if the text is not a single command, or contains variables.
    """
    try:
        statements = tuple(parse_script(f"linux / {text}", ""))
    except ParseError:
        return None
    if len(statements) != 1 or not isinstance(statements[0], SimpleCommand):
        return None
    words = statements[0].words
    if statements[0].block is not None or any(part.is_variable for word in words for part in word):
        return None
    return " ".join("".join(part.text for part in word) for word in words[2:])


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line on which each part of grub.cfg starts, and the script that wrote it."""
    number, position = 1, 0
    for match in _PART.finditer(text):
        number += text.count("\n", position, match.start())
        position = match.start()
        yield number, match[1] or ""


def _entries(run: Run, place: tuple[int, ...]) -> tuple[MenuEntry, ...]:
    return tuple(_entry(run, item, (*place, n)) for n, item in enumerate(run.menu))


def _entry(run: Run, item: Item, place: tuple[int, ...]) -> MenuEntry:
    title, ident, doubt = _named(item)
    inside = run.inside(item)
    entry = MenuEntry(item.path, item.number, title, place, ident, doubt=doubt)
    if item.is_submenu:
        return entry._replace(children=_entries(inside, place))
    return _started(entry, inside)


def _named(item: Item) -> tuple[str, str | None, str | None]:
    """Return title, id, and why it is uncertain whether the menu has the entry (or None)."""
    words = list(item.arguments)
    found: dict[str, str] = {}
    titles: list[str] = []
    doubt = item.doubt
    while words:
        word = words.pop(0)
        if isinstance(word, Unknown):
            doubt = doubt or word.reason
        elif not word.startswith("--"):
            titles.append(word)
        else:
            option, sign, value = word.partition("=")
            if option in _WITH_VALUE and not sign and words:
                following = words.pop(0)
                value = following if isinstance(following, str) else ""
            elif option not in {*_WITH_VALUE, "--unrestricted"}:
                doubt = doubt or f"secboot does not know the menu entry option {option}"
            found[option] = value
    return titles[0] if titles else "", found.get("--id"), doubt


def _started(entry: MenuEntry, run: Run) -> MenuEntry:
    """Return the entry with the kernel and the ramdisk that its commands load."""
    kernel = run.kernel
    if isinstance(kernel, Unknown):
        return entry._replace(unsure=kernel.reason)
    if kernel is None or not kernel.words:
        return entry
    image, *parameters = kernel.words
    doubt = next((each.reason for each in parameters if isinstance(each, Unknown)), None)
    ramdisk = run.ramdisk
    return entry._replace(
        kernel=image if isinstance(image, str) else None,
        parameters=None if doubt else " ".join(map(_text, parameters)),
        ramdisk=_text(ramdisk.words[0]) or None
        if isinstance(ramdisk, Loaded) and ramdisk.words
        else None,
        linux_number=kernel.number,
        unsure=doubt,
    )


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _default(entries: tuple[MenuEntry, ...], wanted: Value) -> tuple[MenuEntry | None, str | None]:
    """Find the entry that `wanted` names, else the first one, as grub-core/normal/menu.c does."""
    if isinstance(wanted, Unknown):
        return None, wanted.reason
    first, rest = _split(wanted)
    begins = _NUMBER.match(first)
    if begins is not None and begins.end() < len(first):
        return None, f"whether GRUB reads '{first}' as a number depends on its release"
    number = _index(entries, first)
    if number is None:
        in_doubt = bool(first) and any(each.doubt for each in entries)
        number = len(entries) - 1 if in_doubt else 0
    doubt = next((each.doubt for each in entries[: number + 1] if each.doubt), None)
    if doubt is not None:
        return None, doubt
    if not entries:
        return None, "its menu is empty"
    found = entries[number]
    return (found, None) if found.children is None else _default(found.children, rest)


def _split(wanted: str) -> tuple[str, str]:
    """Split into the choice in this menu and that in the submenu; ``>>`` means a literal ``>``."""
    match = re.match(r"((?:[^>]|>>)*)(?:>(.*))?", wanted, re.DOTALL)
    if match is None:
        return wanted, ""
    return match[1].replace(">>", ">"), match[2] or ""


def _index(entries: tuple[MenuEntry, ...], wanted: str) -> int | None:
    """Return the position of the entry with this number, title or id; None if not found."""
    match = _NUMBER.match(wanted)
    if match is not None:
        is_hexadecimal = match[1][:2] in {"0x", "0X"}
        number = int(match[1], 16) if is_hexadecimal else at_most(match[1])
        return number if number < len(entries) else None
    names = (n for n, each in enumerate(entries) if wanted in {each.title, each.id})
    return next(names, None)


def _leaves(entries: tuple[MenuEntry, ...]) -> Iterator[MenuEntry]:
    for entry in entries:
        if entry.children is None:
            yield entry
        else:
            yield from _leaves(entry.children)
