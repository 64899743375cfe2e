"""What is handed to a writer of one format, and what the writers have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.export.demand import Demand, demand_of
from secboot.formats.kernel_cmdline import CommandLine
from secboot.named_tuple import NamedTuple
from secboot.profile.entries import EntryScope
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secboot.profile.profile import Profile


class ProfileSource(NamedTuple):
    """A file of which the profile is made: its path on the machine that will use it."""

    path: str
    text: str


class Order(NamedTuple):
    """A profile to be written in some format.

    `sources` are the files that a machine needs for the profile beside those that come with
    secboot, for formats that run secboot there. `line` is the parameter line to start from, for
    formats that hold a whole line; "" is none.
    """

    profile: Profile
    sources: tuple[ProfileSource, ...] = ()
    line: str = ""

    @property
    def demands(self) -> tuple[Demand, ...]:
        """What the profile asks for, in its order."""
        return tuple(demand_of(each) for each in self.profile.requirements)

    def title(self) -> str:
        """Say whose text this is, for the first comment in it."""
        about = f": {self.profile.description}" if self.profile.description else ""
        return f"secboot profile {self.profile.name}{about}"


class Exported(NamedTuple):
    """The text, and `notes` that the format has no comments for: they go to the person."""

    text: str
    notes: tuple[str, ...] = ()


def words_to_add(order: Order, tool: str) -> tuple[str, ...]:
    """Return the parameters for a tool that only adds them.

    Raises RefusedError for a profile that wants something removed, or nothing at all.
    """
    for demand in order.demands:
        if demand.removes:
            raise RefusedError(
                f"{tool} only adds parameters, and the profile wants something removed:"
                f" {demand.requirement.describe()}",
                location=demand.requirement.location,
                hint=REMOVAL_HINT,
            )
    words = tuple(word for demand in order.demands for word in demand.words)
    if not words:
        raise RefusedError(f"the profile asks for nothing that {tool} could add")
    return words


REMOVAL_HINT = (
    "formats that run secboot on the machine can do it: ansible, cloud-init, autoinstall,"
    " kickstart-post"
)


def losses(order: Order) -> tuple[str, ...]:
    """Return what a tool that only adds parameters loses of the profile, as sentences."""
    lost = [demand.lost_by_adding() for demand in order.demands]
    return (*(f"Lost: {text}" for text in lost if text is not None), *entry_losses(order))


def entry_losses(order: Order) -> tuple[str, ...]:
    """Return what is lost of the profile's choice of entries where a tool has none."""
    entries = order.profile.entries
    chosen = entries.include or entries.exclude or not entries.rescue
    if entries.scope is EntryScope.ALL and not chosen:
        return ()
    return (f"Lost: the profile is for {entries.describe()}; here it is for every boot entry",)


def whole_line(order: Order) -> str:
    """Return the line that the order starts from, changed so that it meets the profile."""
    line = CommandLine.parse(order.line)
    for requirement in order.profile.requirements:
        line = requirement.fulfil(line)
    return line.render()


def comments(lines: Iterable[str], mark: str = "# ") -> str:
    """Return each line as a comment of its own."""
    return "".join(f"{mark}{visible(line)}\n" for line in lines)


def quoted(text: str) -> str:
    """Return printable ASCII as a string of JSON, which TOML and YAML read just the same."""
    return json.dumps(text)
