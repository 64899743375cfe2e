"""How secboot was called, for what it tells its user to type next."""

from __future__ import annotations

import shlex
from typing import NamedTuple


class Invocation(NamedTuple):
    """The words that a next command has to have in common with this one, as they were typed.

    None stands for an option that was not given; `profile` is a profile's name or path.
    """

    profile: str | None = None
    root: str | None = None
    state_dir: str | None = None
    layout: str | None = None

    def command(self, verb: str, *words: str) -> str:
        """Return a command for a shell: the verb, its words, then the options that count here."""
        return shlex.join(["secboot", *verb.split(), *words, *self._options()])

    def for_profile(self, verb: str, *options: str) -> str:
        """Return the command `verb` for the profile; ``PROFILE`` stands where none was named."""
        return self.command(verb, self.profile or "PROFILE", *options)

    def _options(self) -> list[str]:
        named = (("--root", self.root), ("--state-dir", self.state_dir), ("--layout", self.layout))
        return [word for option, value in named if value is not None for word in (option, value)]
