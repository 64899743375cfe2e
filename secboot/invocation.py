"""How secboot was called, for what it tells its user to type next."""

from __future__ import annotations

from secboot.named_tuple import NamedTuple

_NOT_TAKEN = {
    "history": {"--layout"},
    "status": {"--state-dir"},
    "verify": {"--state-dir"},
}
"""By verb, what it does not take of the options that commands have in common."""


class Invocation(NamedTuple):
    """The words that a next command has to have in common with this one, as they were typed.

    None stands for an option that was not given; `profile` is a profile's name or path, `words` what
    ``secboot set`` was given in its place.
    """

    profile: str | None = None
    root: str | None = None
    state_dir: str | None = None
    layout: str | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def on(cls, root: str, profile: str | None = None, words: tuple[str, ...] = ()) -> Invocation:
        """Return how the machine in this root is named; ``/`` need not be said."""
        return cls(profile=profile, root=None if root == "/" else root, words=words)

    def command(self, verb: str, *words: str) -> str:
        """Return a command for a shell: the verb, its words, then the options that it takes."""
        import shlex  # noqa: PLC0415 - for those who have something to say to their user

        return shlex.join(["secboot", *verb.split(), *words, *self._options(verb)])

    def for_profile(self, verb: str, *options: str) -> str:
        """Return the command `verb` for the profile; ``PROFILE`` stands where none was named.

        Words that stand for a profile are planned and applied by ``set``, and known to no other verb.
        """
        if self.words:
            dry_run = {"plan": ("--dry-run",), "apply": ()}.get(verb)
            words = () if dry_run is None else (*self.words, *dry_run, *options)
            return self.command("status" if dry_run is None else "set", *words)
        return self.command(verb, self.profile or "PROFILE", *options)

    def completed(self, hint: str) -> str:
        """Return a hint whose last words are ``secboot VERB PROFILE``, with the options they need.

        Who reads the files knows what helps, and not how secboot was called.
        """
        before, found, words = hint.rpartition("secboot ")
        verb, *rest = words.split() or [""]
        return f"{before}{self.command(verb, *rest)}" if found and len(rest) == 1 else hint

    def of_programs(self, programs: tuple[tuple[str, ...], ...]) -> str:
        """Return what runs other programs, one after the other, on the machine that is examined."""
        import shlex  # noqa: PLC0415 - for those who have something to say to their user

        words = " && ".join(map(shlex.join, programs))
        if self.root is None:
            return words
        inside = words if len(programs) == 1 else f"sh -c {shlex.quote(words)}"
        return f"chroot {shlex.quote(self.root)} {inside}"

    def _options(self, verb: str) -> list[str]:
        typed = {"--root": self.root, "--state-dir": self.state_dir, "--layout": self.layout}
        left = _NOT_TAKEN.get(verb, set())
        given = [(name, value) for name, value in typed.items() if value is not None]
        return [word for each in given if each[0] not in left for word in each]


PLAIN = Invocation()
"""None of these words was typed."""
