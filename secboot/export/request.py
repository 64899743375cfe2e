"""What is asked of the writer of one format, and what the writers have in common."""

from __future__ import annotations

import json
from itertools import chain, count
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.named_tuple import NamedTuple
from secboot.profile.profile import EntryScope, EntrySelection
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.finding import Finding
    from secboot.profile.profile import Profile
    from secboot.profile.requirement import Requirement


class ProfileSource(NamedTuple):
    """A file of which the profile is made: its path on the machine that will use it."""

    path: str
    text: str


class ExportRequest(NamedTuple):
    """A profile to be written in some format.

    `sources` are the files that a machine needs for the profile beside those that come with
    secboot, for formats that run secboot there. `line` is the parameter line to start from, for
    formats that hold a whole line; "" is none.
    """

    profile: Profile
    sources: tuple[ProfileSource, ...] = ()
    line: str = ""

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """What the profile asks for, in its order."""
        return self.profile.requirements

    def title(self) -> str:
        """Say whose text this is, for the first comment in it."""
        about = f": {self.profile.description}" if self.profile.description else ""
        return f"secboot profile {self.profile.name}{about}"

    def head(self, *lines: str) -> str:
        """Return comments: whose text this is, then these lines."""
        return comments([self.title(), *lines])

    def words_to_add(self, tool: str, *, removes: bool = False) -> tuple[str, ...]:
        """Return the parameters for a tool that only adds them, or also `removes` words.

        Raises RefusedError for a profile that wants something removed, or nothing at all. Words
        that it wants removed beside others are a loss (`losses`).
        """
        for requirement in self.requirements:
            if not requirement.words and not (removes and requirement.unwanted):
                raise RefusedError(
                    f"{tool} only adds parameters, and the profile wants something removed:"
                    f" {requirement.describe()}",
                    location=requirement.location,
                    hint="formats that run secboot on the machine can do it: ansible, cloud-init,"
                    " autoinstall, kickstart-post",
                )
        words = tuple(word for requirement in self.requirements for word in requirement.words)
        if not words and not (removes and self.words_to_remove()):
            raise RefusedError(f"the profile asks for nothing that {tool} could add")
        return words

    def words_to_remove(self) -> tuple[str, ...]:
        """Return what a tool has to remove that removes words by their whole text."""
        return tuple(word for requirement in self.requirements for word in requirement.unwanted)

    def losses(self, *, removes: bool = False) -> tuple[str, ...]:
        """Return what a tool loses of the profile that only adds words, or also `removes` them."""
        lost = [text for each in self.requirements if (text := each.lost_by_adding()) is not None]
        lost += [] if removes else [f"{word} is not removed" for word in self.words_to_remove()]
        return (*(f"Lost: {text}" for text in lost), *self.entry_losses())

    def entry_losses(self) -> tuple[str, ...]:
        """Return what is lost of the profile's choice of entries where a tool has none."""
        entries, image = self.profile.entries, self.image_losses()
        if entries in {EntrySelection(), EntrySelection(EntryScope.NONE)}:
            return image
        what = f"Lost: the profile is for {entries.describe()}; here it is for every boot entry"
        return (what, *image)

    def image_losses(self) -> tuple[str, ...]:
        """Return what is lost of the Secure Execution image that the profile names."""
        image = self.profile.image
        if image is None:
            return ()
        what = f"the image {image.output}, with its parmfile and its boot entry"
        return (f"Lost: {what}; here are the parameters alone",)

    def whole_line(self) -> str:
        """Return the line to start from, changed so that it meets the profile."""
        line = CommandLine.parse(self.line)
        for requirement in self.requirements:
            line = requirement.fulfil(line)
        return line.render()


class Exported(NamedTuple):
    """The text, and `notes` that the format has no comments for: they go to the person."""

    text: str
    notes: tuple[Finding, ...] = ()


def comments(lines: Iterable[str]) -> str:
    """Return each line as a comment of its own."""
    return "".join(f"# {visible(line)}\n" for line in lines)


def here_document(text: str) -> str:
    """Return ``<<'EOF'`` with the text behind it, for a shell to read back byte by byte.

    `text` ends with a newline: a here document has no other end.
    """
    lines = set(text.splitlines())
    marks = chain(["EOF"], (f"EOF{number}" for number in count(2)))
    mark = next(each for each in marks if each not in lines)
    return f"<<'{mark}'\n{text}{mark}\n"


def yaml_block(text: str, indentation: int) -> str:
    """Return a text as the value of a YAML key, as a block where that keeps every character.

    Each line of a block is indented by so many blanks. Ends with a newline.
    """
    body = text.removesuffix("\n")
    plain = body + "\n" == text and not body.endswith("\n") and not body.startswith((" ", "\n"))
    if not plain or not all(line.isprintable() for line in body.split("\n")):
        return json.dumps(text) + "\n"
    margin = " " * indentation
    lines = [f"{margin}{line}" if line else "" for line in body.split("\n")]
    return "|\n" + "\n".join(lines) + "\n"
