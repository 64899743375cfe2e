"""The public addresses of secboot, which `[project.urls]` of pyproject.toml has, in the files of packages.

Without them there, these files have none, and lintian's findings about that are overridden.
"""

from __future__ import annotations

import re
import tomllib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
LABELS = ("Homepage", "Repository", "Issues", "Documentation")
FIELDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "packaging/debian/control": (
        "\nPackage: ",
        {
            "Homepage": "{Homepage}",
            # In brackets, the directory in which `debian` is (Policy, 5.6.26).
            "Vcs-Git": "{Repository} [packaging]",
            "Vcs-Browser": "{Repository}",
        },
    ),
    "packaging/debian/copyright": ("\nFiles: ", {"Source": "{Repository}"}),
    "ansible/secboot/boot/galaxy.yml": (
        "build_ignore:",
        {
            "repository": "{Repository}",
            "documentation": "{Documentation}",
            "homepage": "{Homepage}",
            "issues": "{Issues}",
        },
    ),
}
"""Lines that a file has only with addresses, and the text before which they are."""
WATCH = """\
Version: 5

Source: {Repository}
Mode: git
Matching-Pattern: refs/tags/v?([\\d.]+)
"""
"""The form that lintian wants. uscan of Debian 13 is too old for it; that of sid reads it."""
METADATA = """\
Bug-Database: {Issues}
Documentation: {Documentation}
Repository: {Repository}
Repository-Browse: {Repository}
"""
OVERRIDDEN = """\
# secboot has no public address yet.
secboot source: debian-watch-file-is-missing
secboot source: no-homepage-field
secboot source: upstream-metadata-file-is-missing
"""


def addresses() -> dict[str, str]:
    """Return all addresses by their label; nothing if secboot has none."""
    urls: dict[str, str] = tomllib.loads(_read("pyproject.toml"))["project"]["urls"]
    found = {label: urls[label] for label in LABELS if label in urls}
    if found and len(found) < len(LABELS):
        missing = ", ".join(label for label in LABELS if label not in found)
        raise SystemExit(f"pyproject.toml: [project.urls] also needs {missing}")
    return found


def _read(name: str) -> str:
    return (CHECKOUT / name).read_text()


def _with_fields(name: str) -> str:
    before, fields = FIELDS[name]
    kept = re.sub(rf"^(?:{'|'.join(fields)}): .*\n", "", _read(name), flags=re.MULTILINE)
    text, place, rest = kept.partition(before)
    found = addresses()
    if found:
        text += "".join(f"{key}: {value.format(**found)}\n" for key, value in fields.items())
    return f"{text}{place}{rest}"


def _with_addresses(form: str) -> str | None:
    found = addresses()
    return form.format(**found) if found else None


def _overrides() -> str:
    others = _read("packaging/debian/source/lintian-overrides").removeprefix(OVERRIDDEN)
    return others if addresses() else OVERRIDDEN + others


def _spec() -> str:
    """Return the spec file; an RPM package must have a URL."""
    urls = tomllib.loads(_read("pyproject.toml"))["project"]["urls"]
    url = addresses().get("Homepage", urls["IBM Secure Execution"])
    spec = _read("packaging/rpm/secboot.spec")
    return re.sub(r"^(URL: +).*", lambda found: found[1] + url, spec, count=1, flags=re.MULTILINE)


FILES: Mapping[str, Callable[[], str | None]] = {
    **{name: partial(_with_fields, name) for name in FIELDS},
    "packaging/debian/source/lintian-overrides": _overrides,
    "packaging/debian/upstream/metadata": partial(_with_addresses, METADATA),
    "packaging/debian/watch": partial(_with_addresses, WATCH),
    "packaging/rpm/secboot.spec": _spec,
}
"""What makes each file of the one that is there; None for no file."""
