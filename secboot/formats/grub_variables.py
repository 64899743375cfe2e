"""GRUB's variables, some of which have unknown values, and the expansion of words.

Words are split as in grub-core/script/execute.c. Values that persist across boots are in grubenv,
GRUB's environment block (grub-core/lib/envblk.c).
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
    """An unknown value, with the reason; `head` is the known text at its start."""

    reason: str
    head: str = ""


Value = str | Unknown

Files = dict[str, str | None]
"""The known content of other files by path; None for a file that does not exist."""

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
"""The variables that grub2-emu sets itself (grub-core/normal/main.c, features; kern/emu/main.c)."""


def environment_block(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values in grubenv; nothing if the text is not such a block."""
    if not text.startswith(_SIGNATURE):
        return
    for line in text[len(_SIGNATURE) :].split("\n"):
        name, sign, value = line.partition("=")
        if sign and not line.startswith("#"):
            yield name, re.sub(r"\\(.)", r"\1", value)


class Variables:
    """The variables of one context; `arguments` are those of the running function."""

    def __init__(self) -> None:
        self.arguments: tuple[Value, ...] = ()
        self._values: dict[str, Value] = dict(_START)
        self._exported = {"menuentry_id_option", *_START}
        self._unset: Unknown | None = None

    def inside(self, *, exported_alone: bool) -> Variables:
        """Return the variables of a nested context."""
        found = Variables()
        found._exported, found._unset = set(self._exported), self._unset
        found._values = {
            name: value
            for name, value in self._values.items()
            if not exported_alone or name in self._exported
        }
        return found

    def get(self, name: str) -> Value | None:
        """Return the value of a variable; None if it is not set."""
        return self._values.get(name, self._unset)

    def known(self, name: str) -> str:
        """Return the value of a variable; "" if it is unknown."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def set(self, name: str, value: Value) -> None:
        """Set a variable."""
        self._values[name] = value

    def change(self, command: str, arguments: Sequence[Value]) -> None:
        """Run ``set``, ``unset`` or ``export``; any other command changes nothing."""
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
        """Load the variables of an environment block: all of them, or those in `wanted`."""
        for name, value in environment_block(text):
            if not wanted or name in wanted:
                self._values[name] = value

    def lose_kept(self, reason: str) -> None:
        """Account for an unknown environment block, which may set any variable that is not set."""
        self._unset = Unknown(reason)
        for name in _KEPT:
            self._values[name] = self._unset

    def lose(self, reason: str) -> None:
        """Treat all variables as unknown."""
        self._values, self._unset = {}, Unknown(reason)

    def expand(self, words: Sequence[Word]) -> list[Value]:
        """Return the words with all variables expanded, split as GRUB does."""
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
            return Unknown(f"the value of ${name} is unknown")
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
