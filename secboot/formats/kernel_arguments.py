"""Kernel arguments in the forms of a bootc image and an OpenShift cluster. Written, never read.

The name of the object is derived from the name of the profile, so writing it again replaces it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_IN_A_NAME = r"[^a-z0-9]+"


def object_name(profile: str) -> str:
    """Return the profile's name in the form that Kubernetes allows: lower case, digits, hyphens."""
    return re.sub(_NOT_IN_A_NAME, "-", profile.lower()).strip("-") or "profile"


def kargs_file(profile: str) -> str:
    """Return the path of the file in the image (bootc, docs/src/building/kernel-arguments.md)."""
    return f"/usr/lib/bootc/kargs.d/50-secboot-{object_name(profile)}.toml"


def bootc_kargs(words: Iterable[str]) -> str:
    """Return the text of that file; the words must be printable ASCII."""
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
    """Quote printable ASCII as a JSON string, which TOML and YAML read the same way."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
