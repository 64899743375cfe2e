"""The request to the writer of one format, and what the writers share."""

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
    """A file of the profile: its path on the machine that will use it, and its text."""

    path: str
    text: str


class ExportRequest(NamedTuple):
    """A profile to be written in some format.

    `sources` are the files that a machine needs for the profile in addition to those shipped with
    secboot, for formats that run secboot there. `line` is the parameter line to start from, for
    formats that contain a whole line; "" is none.
    """

    profile: Profile
    sources: tuple[ProfileSource, ...] = ()
    line: str = ""

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """The profile's requirements, in its order."""
        return self.profile.requirements

    def title(self) -> str:
        """Return the first comment of the text, which names the profile."""
        about = f": {self.profile.description}" if self.profile.description else ""
        return f"secboot profile {self.profile.name}{about}"

    def head(self, *lines: str) -> str:
        """Return comments: the title, then these lines."""
        return comments([self.title(), *lines])

    def words_to_add(self, tool: str, *, removes: bool = False) -> tuple[str, ...]:
        """Return the parameters for a tool that only adds them, or also `removes` whole words.

        Raises RefusedError for a profile that removes a parameter in a way that the tool cannot, or
        that adds nothing. Words to remove from among others are reported by `losses`.
        """
        for requirement in self.requirements:
            if not requirement.words and not (removes and requirement.unwanted):
                can = "can only add parameters"
                if removes:
                    can = "can remove a parameter only with a given value"
                raise RefusedError(
                    f"{tool} {can}, but the profile requires: {requirement.describe()}",
                    location=requirement.location,
                    hint="use a format that runs secboot on the machine: ansible, cloud-init,"
                    " autoinstall, kickstart-post",
                )
        words = tuple(word for requirement in self.requirements for word in requirement.words)
        if not words and not (removes and self.words_to_remove()):
            raise RefusedError(f"the profile requires nothing that {tool} could add")
        return words

    def words_to_remove(self) -> tuple[str, ...]:
        """Return the words to remove, for a tool that removes words by their whole text."""
        return tuple(word for requirement in self.requirements for word in requirement.unwanted)

    def losses(self, *, removes: bool = False) -> tuple[str, ...]:
        """Return what a tool cannot express that only adds words, or also `removes` them."""
        lost = [text for each in self.requirements if (text := each.lost_by_adding()) is not None]
        lost += [] if removes else [f"{word} is not removed" for word in self.words_to_remove()]
        return (*(f"Not expressed: {text}" for text in lost), *self.entry_losses())

    def entry_losses(self) -> tuple[str, ...]:
        """Return what a tool without a choice of entries cannot express of the profile's."""
        entries, image = self.profile.entries, self.image_losses()
        if entries in {EntrySelection(), EntrySelection(EntryScope.NONE)}:
            return image
        what = (
            f"Not expressed: the profile is for {entries.describe()}; this is for every boot entry"
        )
        return (what, *image)

    def image_losses(self) -> tuple[str, ...]:
        """Return what cannot be expressed of the Secure Execution image that the profile names."""
        image = self.profile.image
        if image is None:
            return ()
        what = f"the image {image.output}, its parmfile and its boot entry"
        return (f"Not expressed: {what}; these are only the parameters",)

    def whole_line(self) -> str:
        """Return the line to start from, changed so that it meets the profile."""
        line = CommandLine.parse(self.line)
        for requirement in self.requirements:
            line = requirement.fulfil(line)
        return line.render()


class Exported(NamedTuple):
    """The text, and `notes` for the user, because the format does not support comments."""

    text: str
    notes: tuple[Finding, ...] = ()


def comments(lines: Iterable[str]) -> str:
    """Return each line as a separate comment."""
    return "".join(f"# {visible(line)}\n" for line in lines)


def here_document(text: str) -> str:
    """Return ``<<'EOF'`` followed by the text, which a shell reads back byte by byte.

    `text` must end with a newline, as every here document does.
    """
    lines = set(text.splitlines())
    marks = chain(["EOF"], (f"EOF{number}" for number in count(2)))
    mark = next(each for each in marks if each not in lines)
    return f"<<'{mark}'\n{text}{mark}\n"


def yaml_block(text: str, indentation: int) -> str:
    """Return a text as the value of a YAML key, as a block if that keeps every character.

    `indentation` is the number of spaces before each line of a block. Ends with a newline.
    """
    body = text.removesuffix("\n")
    plain = body + "\n" == text and not body.endswith("\n") and not body.startswith((" ", "\n"))
    if not plain or not all(line.isprintable() for line in body.split("\n")):
        return json.dumps(text) + "\n"
    margin = " " * indentation
    lines = [f"{margin}{line}" if line else "" for line in body.split("\n")]
    return "|\n" + "\n".join(lines) + "\n"
