"""All targets in turn, for a time: finds are reported at once, the sizes at the end."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from secboot.errors import SecbootError
from tests.fuzz.campaign import Campaign, Find
from tests.fuzz.probes import Probes
from tests.fuzz.targets import TARGETS

SLICE = 20.0
"""Seconds of a target's turn, about."""
MEMORY = 4 * 2**30
"""Bytes that the process may map, so that excessive allocation is found."""


def say(text: str) -> None:
    """Print a line at once: a search takes long, and may be stopped."""
    print(text, flush=True)  # noqa: T201 - a program for people who develop secboot


def repeat(name: str, file: str) -> None:
    """Run one input; a secboot error is printed, anything else is a traceback."""
    data = Path(file).read_bytes()
    begun = time.process_time()
    try:
        TARGETS[name].read(data)
    except SecbootError as error:
        say(f"{type(error).__name__}: {str(error)!a}")
    say(f"{time.process_time() - begun:.2f} s for {len(data)} bytes")


class Search:
    """A search of the targets of these names; a seed gives the same inputs, if not the same time.

    The input of each find is written to a file in `finds`. Inputs that reach something new are read
    from and added to the files in `corpus`.
    """

    def __init__(
        self, names: Sequence[str], probes: Probes, seed: int, finds: Path, corpus: Path | None
    ) -> None:
        self._probes = probes
        self._seed = seed
        self._finds = finds
        self._corpus = corpus
        self._told: set[tuple[str, str]] = set()
        self._campaigns = []
        for name in names:
            chance = Random(f"{seed} {name}")  # noqa: S311 - the same each time
            campaign = Campaign(name, TARGETS[name], probes, chance)
            for file in sorted((corpus / name).glob("*")) if corpus else ():
                campaign.tried(file.read_bytes())
            self._campaigns.append(campaign)

    def run(self, seconds: float) -> int:
        """Search for this long in total, and return the number of finds."""
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        say(f"seed {self._seed}, {len(self._campaigns)} targets, {seconds / 60:g} minutes")
        shares = sum(TARGETS[campaign.name].weight for campaign in self._campaigns)
        turns = max(1, round(seconds / (SLICE * len(self._campaigns))))
        for _ in range(turns):
            for campaign in self._campaigns:
                campaign.run(seconds / turns * TARGETS[campaign.name].weight / shares)
                self._tell(campaign)
                self._keep_inputs(campaign)
        for campaign in self._campaigns:
            say(_sizes(campaign))
        say(self._total())
        return len(self._told)

    def _tell(self, campaign: Campaign) -> None:
        for find in campaign.finds.values():
            if (find.target, find.place) not in self._told:
                self._told.add((find.target, find.place))
                self._tell_find(find)

    def _tell_find(self, find: Find) -> None:
        file = self._finds / find.target / find.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(find.data)
        say(f"FOUND {find.target}: {find.place}\n  {find.what!a}")
        say(f"  again: python -m tests.fuzz --repeat {find.target} {file}")

    def _keep_inputs(self, campaign: Campaign) -> None:
        if self._corpus is None:
            return
        directory = self._corpus / campaign.name
        directory.mkdir(parents=True, exist_ok=True)
        for data in campaign.inputs:
            (directory / Find.name_of(data)).write_bytes(data)

    def _total(self) -> str:
        lines = set().union(*(campaign.lines for campaign in self._campaigns))
        executions = sum(campaign.executions for campaign in self._campaigns)
        grown = sum(campaign.grown for campaign in self._campaigns)
        processor = sum(campaign.processor_seconds for campaign in self._campaigns)
        return (
            f"all: {executions} executions, {grown} inputs let grow,"
            f" {len(lines)} of {len(self._probes.lines)} lines, {len(self._told)} finds,"
            f" {processor:.0f} s of the processor, seed {self._seed}"
        )


def _sizes(campaign: Campaign) -> str:
    """One line about a target."""
    return (
        f"{campaign.name:18} {campaign.executions:8} executions, {campaign.grown:6} let grow,"
        f" {len(campaign.inputs):5} inputs kept, {len(campaign.lines):5} lines,"
        f" {len(campaign.finds):3} finds, {campaign.processor_seconds:6.1f} s of the processor"
    )
