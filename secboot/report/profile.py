"""Profiles as text or JSON (``secboot/profiles/2``, ``secboot/profile/1``, ``secboot/profile-checks/1``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.finding import Severity
from secboot.kernel.swiotlb import bytes_text
from secboot.named_tuple import NamedTuple
from secboot.report.style import PLAIN, finding_text
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secboot.finding import Finding
    from secboot.profile.profile import ImagePaths, Profile
    from secboot.report.style import Style

LIST_SCHEMA = "secboot/profiles/2"
SCHEMA = "secboot/profile/1"
CHECKS_SCHEMA = "secboot/profile-checks/1"
_LABEL = 10
"""Columns of the labels at the start."""


class ListedProfile(NamedTuple):
    """One profile of the list; `problems` say why it cannot be used, if so."""

    name: str
    path: str
    hidden: bool
    description: str
    problems: tuple[Finding, ...] = ()


class CheckedProfile(NamedTuple):
    """A profile as it was named; `path` is None if it was not found or could not be read."""

    profile: str
    path: str | None
    findings: tuple[Finding, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether it can be used."""
        return not any(found.severity is Severity.ERROR for found in self.findings)


def list_text(profiles: Sequence[ListedProfile], style: Style) -> str:
    """Return an aligned list of the profiles, each with its path."""
    if not profiles:
        return "No profiles found.\n"
    width = max(len(p.name) for p in profiles)
    lines = []
    for profile in profiles:
        about = visible(profile.description)
        paint: Callable[[str], str] = str
        if profile.hidden:
            about = "hidden by the profile of the same name above"
        if profile.problems:
            first, more = profile.problems[0], len(profile.problems) - 1
            where = "" if first.location is None else f"{first.location}: "
            others = f" (and {more} more)" if more else ""
            about = f"cannot be used: {visible(f'{where}{first.message}')}{others}"
            paint = style.red
        lines += style.labelled(profile.name, about, width + 2, paint)
        lines.append(style.faint(f"{' ' * width}  {visible(profile.path)}"))
    return "\n".join(lines) + "\n"


def list_document(profiles: Sequence[ListedProfile]) -> dict[str, Any]:
    """Return the same as a JSON document."""
    from secboot.codec import encode

    return {"schema": LIST_SCHEMA, "profiles": encode(tuple(profiles))}


def profile_text(profile: Profile, style: Style) -> str:
    """Return what a profile requires, with all that it extends."""
    lines = [f"{style.bold('Profile')}   {visible(profile.name)}"]
    if profile.description:
        lines += style.labelled("", visible(profile.description), _LABEL)
    if profile.role is not None:
        lines.append(f"{style.bold('Role')}      {profile.role}")
    if profile.memory is not None:
        lines.append(f"{style.bold('Memory')}    {bytes_text(profile.memory)}")
    chain = ", which extends ".join(visible(path) for path in profile.chain)
    lines += style.labelled("From", chain, _LABEL)
    lines += style.labelled("Entries", visible(profile.entries.describe()), _LABEL)
    for number, requirement in enumerate(profile.requirements):
        label = "" if number else "Requires"
        where = visible(str(requirement.location))
        rows = style.labelled(label, visible(requirement.describe()), _LABEL)
        last = PLAIN.labelled(label, visible(requirement.describe()), _LABEL)[-1]
        if len(rows) == 1 and style.fits(f"{last}  {where}"):
            rows[-1] += style.faint(f"  {where}")
        else:
            rows.append(style.faint(f"{' ' * _LABEL}  {where}"))
        lines += rows
    if profile.image is not None:
        for label, path in zip(
            ("Image", "Parmfile", "Kernel", "Ramdisk"), _paths(profile.image), strict=True
        ):
            lines += [f"{style.bold(label.ljust(8))}  {path}"] if path else []
    lines += [finding_text(warning, style) for warning in profile.warnings]
    return "\n".join(lines) + "\n"


def _paths(image: ImagePaths) -> tuple[str | None, ...]:
    return image.output, image.parmfile, image.kernel, image.ramdisk


def validated_text(profile: CheckedProfile, style: Style) -> str:
    """Return that a profile can be used, with its warnings."""
    lines = [f"{visible(profile.path or profile.profile)}: valid"]
    lines += [finding_text(warning, style) for warning in profile.findings]
    return "\n".join(lines) + "\n"


def checks_document(profiles: Sequence[CheckedProfile]) -> dict[str, Any]:
    """Return the problems of each profile as a JSON document."""
    from secboot.codec import encode

    return {
        "schema": CHECKS_SCHEMA,
        "valid": all(profile.valid for profile in profiles),
        "profiles": encode(tuple(profiles)),
    }


def profile_document(profile: Profile) -> dict[str, Any]:
    """Return the same as a JSON document."""
    from secboot.codec import encode

    return {
        "schema": SCHEMA,
        "name": profile.name,
        "role": profile.role,
        "description": profile.description,
        "memory": profile.memory,
        "path": profile.path,
        "chain": list(profile.chain),
        "digest": profile.digest,
        "entries": profile.entries.describe(),
        "image": encode(profile.image),
        "requirements": [
            {
                "name": requirement.name,
                "wanted": requirement.describe(),
                "location": encode(requirement.location),
            }
            for requirement in profile.requirements
        ],
        "warnings": encode(profile.warnings),
    }
