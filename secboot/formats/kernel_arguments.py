"""Kernel arguments as a bootc image and an OpenShift cluster take them; only ever written.

Whoever makes these texts makes the same object: its name comes from the profile's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_IN_A_NAME = r"[^a-z0-9]+"


def object_name(profile: str) -> str:
    """Return the profile's name as Kubernetes allows names: lower case, digits and hyphens."""
    return re.sub(_NOT_IN_A_NAME, "-", profile.lower()).strip("-") or "profile"


def kargs_file(profile: str) -> str:
    """Return the path in the image (bootc, docs/src/building/kernel-arguments.md)."""
    return f"/usr/lib/bootc/kargs.d/50-secboot-{object_name(profile)}.toml"


def bootc_kargs(words: Iterable[str]) -> str:
    """Return the text of such a file; the words are printable ASCII."""
    listed = ", ".join(map(quoted, words))
    return f'kargs = [{listed}]\nmatch-architectures = ["s390x"]\n'


def machine_config(profile: str, words: Iterable[str]) -> str:
    """Return a MachineConfig for the workers (openshift/api, machineconfiguration v1)."""
    listed = "".join(f"    - {quoted(word)}\n" for word in words)
    return (
        "apiVersion: machineconfiguration.openshift.io/v1\n"
        "kind: MachineConfig\n"
        "metadata:\n"
        f"  name: 99-secboot-{object_name(profile)}\n"
        "  labels:\n"
        "    machineconfiguration.openshift.io/role: worker\n"
        "spec:\n"
        f"  kernelArguments:\n{listed}"
    )


def quoted(text: str) -> str:
    """Return printable ASCII as a string of JSON, which TOML and YAML read just the same."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
