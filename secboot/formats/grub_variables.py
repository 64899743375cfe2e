"""GRUB's variables: their values, of which some are not known, and words with values in them.

Words are split as grub-core/script/execute.c does. Values that are kept from boot to boot are in
grubenv, GRUB's environment block (grub-core/lib/envblk.c).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.numbers import at_most
from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.formats.grub_script import Word


class Unknown(NamedTuple):
    """A value that can't be told, and why; `head` is the known text that it begins with."""

    reason: str
    head: str = ""


Value = str | Unknown

Files = dict[str, str | None]
"""What is known of other files, by path: their texts, None for one that is not there."""

_SIGNATURE = "# GRUB Environment Block\n"
_KEPT = ("saved_entry", "next_entry", "prev_saved_entry")
_START = {
    "grub_platform": "emu",
    "grub_cpu": "s390x",
    "root": "host",
    "prefix": "(host)/boot/grub2",
    "config_directory": "(host)/boot/grub2",
    "config_file": "(host)/boot/grub2/grub.cfg",
    "cmdpath": "",
    **{
        f"feature_{name}": "y"
        for name in (
            *("chainloader_bpb", "ntldr", "platform_search_hint", "default_font_path"),
            *("all_video_module", "menuentry_id", "menuentry_options", "200_final"),
            *("nativedisk_cmd", "timeout_style"),
        )
    },
}
"""What grub2-emu sets itself (grub-core/normal/main.c, features; kern/emu/main.c)."""


def environment_block(text: str) -> Iterator[tuple[str, str]]:
    """Return the names and values of grubenv; none of a text that is no such block."""
    if not text.startswith(_SIGNATURE):
        return
    for line in text[len(_SIGNATURE) :].split("\n"):
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            yield name, re.sub(r"\\(.)", r"\1", value)


class Variables:
    """The variables of one context; `arguments` are those of the function that is running."""

    def __init__(self) -> None:
        self.arguments: tuple[Value, ...] = ()
        self._values: dict[str, Value] = dict(_START)
        self._exported = {"menuentry_id_option", *_START}
        self._unset: Unknown | None = None

    def inside(self, *, exported_alone: bool) -> Variables:
        """Return those of a context that is opened within."""
        found = Variables()
        found._exported, found._unset = set(self._exported), self._unset
        found._values = {
            name: value
            for name, value in self._values.items()
            if not exported_alone or name in self._exported
        }
        return found

    def get(self, name: str) -> Value | None:
        """Return a value; None where there is none."""
        return self._values.get(name, self._unset)

    def known(self, name: str) -> str:
        """Return a value, which is empty where it is not known."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def set(self, name: str, value: Value) -> None:
        """Give a variable a value."""
        self._values[name] = value

    def change(self, command: str, arguments: Sequence[Value]) -> None:
        """Do what ``set``, ``unset`` or ``export`` does; no other command changes a variable."""
        for argument in arguments:
            text = argument.head if isinstance(argument, Unknown) else argument
            name, sign, value = text.partition("=")
            if command == "export":
                self._exported.add(name)
            elif command == "unset":
                self._values.pop(name, None)
                self._exported.discard(name)
                if self._unset is not None:
                    self._values[name] = ""
            elif command == "set" and sign:
                self._values[name] = (
                    Unknown(argument.reason, value) if isinstance(argument, Unknown) else value
                )

    def load(self, text: str, wanted: Sequence[str]) -> None:
        """Take over what an environment block holds, all of it or the names that are `wanted`."""
        for name, value in environment_block(text):
            if not wanted or name in wanted:
                self._values[name] = value

    def lose_kept(self, reason: str) -> None:
        """An environment block that is not known may give a value to any variable without one."""
        self._unset = Unknown(reason)
        for name in _KEPT:
            self._values[name] = self._unset

    def lose(self, reason: str) -> None:
        """Nothing is known any more."""
        self._values, self._unset = {}, Unknown(reason)

    def expand(self, words: Sequence[Word]) -> list[Value]:
        """Return words with the variables' values, as GRUB splits them."""
        found: list[Value] = []
        for word in words:
            if len(word) == 1 and not word[0].is_variable:
                found.append(word[0].text)
            else:
                found += self._expanded(word)
        return found

    def _expanded(self, word: Word) -> list[Value]:
        texts: list[Value | None] = [None]
        for part in word:
            value = self._value(part.text) if part.is_variable else part.text
            if isinstance(value, Unknown):
                texts[-1] = _joined(texts[-1], value)
            elif part.is_variable and not part.quoted:
                for number, piece in enumerate(value.split()):
                    if number:
                        texts.append(None)
                    texts[-1] = _joined(texts[-1], piece)
            elif value or part.quoted:
                texts[-1] = _joined(texts[-1], value)
        return [each for each in texts if each is not None]

    def _value(self, name: str) -> Value:
        if name.isascii() and name.isdecimal():
            number = at_most(name)
            return self.arguments[number] if number < len(self.arguments) else ""
        if not name[0].isalpha() and name[0] != "_":
            return Unknown(f"what ${name} is, is not known")
        found = self.get(name)
        return "" if found is None else found


def _joined(before: Value | None, value: Value) -> Value:
    if before is None:
        return value
    if isinstance(before, Unknown):
        return before
    if isinstance(value, Unknown):
        return value._replace(head=before + value.head)
    return before + value
