"""grub.cfg: the menu that GRUB makes of it, and which entry starts when nobody chooses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import ParseError
from secboot.formats.grub_run import Loaded, Run
from secboot.formats.grub_script import parse_script
from secboot.formats.grub_variables import Unknown
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.formats.grub_run import Item
    from secboot.formats.grub_script import Statement
    from secboot.formats.grub_variables import Files, Value

_WITH_VALUE = frozenset({"--class", "--users", "--hotkey", "--source", "--id"})
_NUMBER = re.compile(r"[ \t]*(0[xX][0-9a-fA-F]+|\d+)", re.ASCII)
"""GRUB 2.06 takes the whole for a number that begins with one (grub_strtoul), others do not."""
_DEEPEST = 10


class MenuEntry(NamedTuple):
    """A line of the menu, in the line `number` of grub.cfg; `place` is where it stands, from 0 on.

    `kernel`, `parameters` (those of the kernel, as it gets them) and `ramdisk` are what the entry
    starts; None where it starts nothing, or where that is not known, as `unsure` then says.
    `linux_number` is the line of ``linux``. A submenu has `children` instead. `doubt` says why the
    entry may not be in the menu at all, or another one in its place.
    """

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
    children: tuple[MenuEntry, ...] | None = None


class GrubMenu(NamedTuple):
    """The menu, and what starts by default: `unsure` says why that is not known.

    `once` tells that the default is for one boot (grub2-once).
    """

    entries: tuple[MenuEntry, ...]
    default: MenuEntry | None
    unsure: str | None = None
    once: bool = False

    def walk(self) -> Iterator[MenuEntry]:
        """All entries but submenus, in the order of the menu."""
        yield from _leaves(self.entries)


class GrubCfg(NamedTuple):
    """The script as it was read; `problem` says why it could not be."""

    path: str
    statements: tuple[Statement, ...]
    problem: ParseError | None = None

    @classmethod
    def parse(cls, text: str, path: str = "grub.cfg") -> GrubCfg:
        """Read any text; never raises."""
        try:
            return cls(path, tuple(parse_script(text, path)))
        except ParseError as error:
            return cls(path, (), error)

    def menu(self, files: Files) -> GrubMenu:
        """Return the menu that GRUB makes of it, with what is known of other files."""
        if self.problem is not None:
            return GrubMenu((), None, f"{self.problem.location}: {self.problem.message}")
        run = Run(files, self.path)
        run.run(self.statements)
        entries = _entries(run, ())
        wanted = run.variable("default")
        default, unsure = _default(entries, "" if wanted is None else wanted)
        return GrubMenu(entries, default, unsure, run.variable("boot_once") == "true")


def _entries(run: Run, place: tuple[int, ...]) -> tuple[MenuEntry, ...]:
    return tuple(_entry(run, item, (*place, n)) for n, item in enumerate(run.menu))


def _entry(run: Run, item: Item, place: tuple[int, ...]) -> MenuEntry:
    title, ident, doubt = _named(item)
    inside = run.inside(submenu=item.is_submenu)
    if len(place) <= _DEEPEST:
        inside.run(item.body)
    entry = MenuEntry(item.number, title, place, ident, doubt=doubt)
    if item.is_submenu:
        return entry._replace(children=_entries(inside, place))
    return _started(entry, inside)


def _named(item: Item) -> tuple[str, str | None, str | None]:
    """Title, id, and why it is not known whether the entry is there."""
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
                doubt = doubt or f"the option {option} of a menu entry is not known"
            found[option] = value
    return titles[0] if titles else "", found.get("--id"), doubt


def _started(entry: MenuEntry, run: Run) -> MenuEntry:
    """Return the entry with what its commands load."""
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
    """Find what `wanted` names, as grub-core/normal/menu.c does: the first where it names nothing."""
    if isinstance(wanted, Unknown):
        return None, wanted.reason
    first, rest = _split(wanted)
    begins = _NUMBER.match(first)
    if begins is not None and begins.end() < len(first):
        return None, f"whether GRUB takes '{first}' for a number depends on its release"
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
    """What is chosen in this menu, and what in the submenu; ``>>`` stands for one ``>``."""
    match = re.match(r"((?:[^>]|>>)*)(?:>(.*))?", wanted, re.DOTALL)
    if match is None:
        return wanted, ""
    return match[1].replace(">>", ">"), match[2] or ""


def _index(entries: tuple[MenuEntry, ...], wanted: str) -> int | None:
    """Return the place of what is wanted, by number, title or id; None where there is none such."""
    match = _NUMBER.match(wanted)
    if match is not None:
        number = int(match[1], 16 if match[1][:2] in {"0x", "0X"} else 10)
        return number if number < len(entries) else None
    names = (n for n, each in enumerate(entries) if wanted in {each.title, each.id})
    return next(names, None)


def _leaves(entries: tuple[MenuEntry, ...]) -> Iterator[MenuEntry]:
    for entry in entries:
        if entry.children is None:
            yield entry
        else:
            yield from _leaves(entry.children)
