"""How secboot was called, for the commands that it tells the user to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_TAKEN = {
    "history": {"--layout"},
    "profile list": {"--state-dir", "--layout"},
    "status": {"--state-dir"},
    "verify": {"--state-dir"},
}
"""The common options that a verb does not accept."""
_UNQUOTED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")
"""Characters that mean themselves to a shell, as `shlex` has them."""
_VERBS = r"init|plan|apply|set|confirm|status|verify|rollback|keep|history|show|check|profile list"
_COMMAND = rf"\bsecboot ({_VERBS})\b(?!-)([^`\n]*)"
"""A command in a text, up to the end of its line or of its quotation."""


class Invocation(NamedTuple):
    """What the next command must have in common with this one, as it was typed.

    None means that an option was not given. `profile` is the name or path of a profile, `words` are the
    arguments of ``secboot set``, which replace a profile.
    """

    profile: str | None = None
    root: str | None = None
    state_dir: str | None = None
    layout: str | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def on(cls, root: str, profile: str | None = None, words: tuple[str, ...] = ()) -> Invocation:
        """Return the invocation for the machine in this root; ``/`` needs no option."""
        return cls(profile=profile, root=None if root == "/" else root, words=words)

    def command(self, verb: str, *words: str) -> str:
        """Return a shell command: the verb, its arguments, then the options that it accepts."""
        return _joined(["secboot", *verb.split(), *words, *self._options(verb)])

    def for_profile(self, verb: str, *options: str) -> str:
        """Return the command `verb` for the profile, or for ``PROFILE`` if none was given.

        Arguments that replace a profile are planned and applied by ``set``; no other verb accepts them.
        """
        if self.words:
            dry_run = {"plan": ("--dry-run",), "apply": ()}.get(verb)
            words = () if dry_run is None else (*self.words, *dry_run, *options)
            return self.command("status" if dry_run is None else "set", *words)
        return self.command(verb, self.profile or "PROFILE", *options)

    def completed(self, hint: str) -> str:
        """Return a hint that ends in ``secboot VERB PROFILE``, with the options that it needs.

        The code that reads the files knows what helps, but not how secboot was called.
        """
        before, found, words = hint.rpartition("secboot ")
        verb, *rest = words.split() or [""]
        return f"{before}{self.command(verb, *rest)}" if found and len(rest) == 1 else hint

    def in_text(self, text: str) -> str:
        """Return a text whose commands have the options of this invocation, so that they act on the same.

        It is for hints of code that does not know how secboot was called.
        """
        import re  # noqa: PLC0415 - only needed for messages

        def completed(found: re.Match[str]) -> str:
            verb, rest = found.groups()
            options = self._options(verb)
            pairs = zip(options[::2], options[1::2], strict=True)
            lacking = [word for pair in pairs if f"{pair[0]} " not in rest for word in pair]
            return " ".join(filter(None, (f"secboot {verb}", _joined(lacking)))) + rest

        return re.sub(_COMMAND, completed, text) if self._options("plan") else text

    def of_programs(self, programs: tuple[tuple[str, ...], ...]) -> str:
        """Return the command that runs other programs, one after the other, on the managed machine."""
        words = " && ".join(map(_joined, programs))
        if self.root is None:
            return words
        inside = words if len(programs) == 1 else f"sh -c {_quoted(words)}"
        return f"chroot {_quoted(self.root)} {inside}"

    def _options(self, verb: str) -> list[str]:
        typed = {"--root": self.root, "--state-dir": self.state_dir, "--layout": self.layout}
        left = _NOT_TAKEN.get(verb, set())
        given = [(name, value) for name, value in typed.items() if value is not None]
        return [word for each in given if each[0] not in left for word in each]


def _joined(words: Iterable[str]) -> str:
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return a word as a shell reads it back (`shlex.quote`, which most words do not need)."""
    if word and _UNQUOTED.issuperset(word):
        return word
    import shlex  # noqa: PLC0415 - only for words that need quotes

    return shlex.quote(word)


PLAIN = Invocation()
"""Without any of these options."""
