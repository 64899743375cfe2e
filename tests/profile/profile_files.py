"""Profiles in memory instead of in a root directory."""

from __future__ import annotations

from dataclasses import dataclass, field

from secboot.profile.load import load_profile, parse_profile
from secboot.profile.profile import Profile, ProfileText
from secboot.profile.search import name_of

IMAGE_PROFILE = """\
version: 1
extends: guest
image:
  parmfile: /etc/secboot/guest.parm
  output: /boot/secure-linux
"""
"""A profile that names a Secure Execution image."""


@dataclass
class MemoryFiles:
    """Texts by path; `asked` collects the paths that were searched."""

    texts: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def read_text(self, path: str) -> str | None:
        self.asked.append(path)
        return self.texts.get(path)

    def read_beside(self, path: str, name: str) -> ProfileText | None:
        directory, slash, _ = path.rpartition("/")
        text = self.read_text(f"{directory}{slash}{name}")
        return (
            None if text is None else ProfileText(name_of(name), f"{directory}{slash}{name}", text)
        )

    def list_names(self, directory: str) -> tuple[str, ...]:
        return tuple(
            path.removeprefix(f"{directory}/")
            for path in self.texts
            if path.rpartition("/")[0] == directory
        )


def parse(text: str, **others: str) -> Profile:
    """Read a text as the profile ``site``, with `others` next to it in /etc."""
    texts = {f"/etc/secboot/profiles/{name}.yaml": other for name, other in others.items()}
    return parse_profile(ProfileText("site", "site.yaml", text), MemoryFiles(texts))


def load(reference: str, **texts: str) -> Profile:
    """Find a profile, with `texts` in /etc."""
    files = MemoryFiles({f"/etc/secboot/profiles/{name}.yaml": t for name, t in texts.items()})
    return load_profile(reference, files)
