"""Requests for exports: shipped profiles, one of a site, and generated ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from secboot.errors import Location, ParseError
from secboot.export.request import ExportRequest, ProfileSource
from secboot.formats.kernel_cmdline import parameter_text
from secboot.profile.load import load_profile, parse_profile
from secboot.profile.occurrences import ExactRequirement
from secboot.profile.profile import EntrySelection, Profile, ProfileText

SITE = """\
version: 1
extends: guest
description: "Guests of the payment system: 'EOF' & more."
parameters:
  swiotlb:
    at_least: 1 GiB
  console: [ttysclp0, hvc0]
  loglevel: 3
  note: "two words"
entries:
  rescue: false
"""
SITE_PATH = "/etc/secboot/profiles/site.yaml"
SITE_WORDS = (
    "swiotlb=524288", "console=ttysclp0", "console=hvc0", "loglevel=3", 'note="two words"',
)  # fmt: skip


class NoFiles:
    """A machine without its own profiles."""

    def read_text(self, path: str) -> str | None:
        _ = path
        return None

    def read_beside(self, _path: str, _name: str) -> ProfileText | None:
        return None

    def list_names(self, directory: str) -> tuple[str, ...]:
        _ = directory
        return ()


def shipped(name: str, line: str = "") -> ExportRequest:
    return ExportRequest(load_profile(name, NoFiles()), line=line)


def from_text(text: str, *, name: str = "site", line: str = "") -> ExportRequest:
    path = f"/etc/secboot/profiles/{name}.yaml"
    profile = parse_profile(ProfileText(name, path, text), NoFiles())
    return ExportRequest(profile, (ProfileSource(path, text),), line)


def site(line: str = "") -> ExportRequest:
    return from_text(SITE, line=line)


def _made(values: dict[str, str]) -> ExportRequest:
    requirements = tuple(
        ExactRequirement(name, Location("made.yaml", 1, 1), value) for name, value in values.items()
    )
    profile = Profile(
        "made", 1, None, "", requirements, EntrySelection(), "made.yaml", "0" * 64, (), ()
    )
    return ExportRequest(profile)


def _can_be_written(values: dict[str, str]) -> bool:
    try:
        for name, value in values.items():
            parameter_text(name, value)
    except ParseError:
        return False
    return True


NAMES = st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"prot_virt", "swiotlb"}
)
VALUES = st.text(st.sampled_from("ab1 ,.:;=/\\'&<>$`*?!#%{}[]|~-@"), max_size=12)
MADE_REQUESTS = (
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=4).filter(_can_be_written).map(_made)
)


def write(directory: Path, text: str) -> Path:
    path = directory / "site.yaml"
    path.write_text(text)
    return path
