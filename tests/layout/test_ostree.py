"""ostree: the objects that a plan writes out are those that an export makes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.command import secboot

NAMES = {
    "guest": "guest",
    "Big_Guest.v2": "big-guest-v2",
    "___": "profile",
}
"""Profiles, and how Kubernetes lets the objects be named."""


def make(root: Path) -> Path:
    for path, text in {
        "ostree/repo/config": "",
        "etc/zipl.conf": "[defaultboot]\ndefaultauto\nprompt=0\ntimeout=0\n",
        "boot/loader/entries/ostree-1.conf": (
            "title A\nversion 1\nlinux /boot/vmlinuz\noptions ostree=/ostree/boot.1/x\n"
        ),
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_and_an_export_make_the_same_objects(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = tmp_path / f"{name}.yaml"
    profile.write_text("version: 1\nextends: guest\n")
    root = make(tmp_path / "root")

    plan = json.loads(secboot(capsys, "plan", profile, "--root", root, "-o", "json").out)
    config = secboot(capsys, "export", profile, "--format", "machineconfig").out
    kargs = secboot(capsys, "export", profile, "--format", "bootc").out

    _, in_image, in_cluster = plan["steps"]
    assert f"  name: 99-secboot-{NAMES[name]}" in in_cluster["lines"]
    assert uncommented(config) == in_cluster["lines"]
    assert uncommented(kargs) == in_image["lines"]
    (path,) = re.findall(r"/usr/lib/bootc/\S+\.toml", kargs)
    assert path == f"/usr/lib/bootc/kargs.d/50-secboot-{NAMES[name]}.toml"
    assert in_image["title"].endswith(path)
