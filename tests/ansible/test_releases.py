"""The collection under the oldest and the newest ansible-core that it supports, on a tree.

All of it is tested with the release in the environment (test_states.py, test_fleet.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from secboot.demo import sample_files
from tests.ansible.collection import environment, install_collection
from tests.ansible.releases import RELEASES, AnsibleCore
from tests.ansible.test_states import write_tree
from tests.available import unavailable

pytestmark = pytest.mark.package


def run(release: AnsibleCore, home: Path, *words: str) -> str:
    """Run one of its programs, the first word, and return its output."""
    command = release.command(words[0])
    if command is None:
        unavailable(f"ansible-core {release.version} is not unpacked (packaging/setup does it)")
    done = subprocess.run(
        [*command, *words[1:]],
        env=environment(home) | release.environment(),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tasks_of(tree: Path, pyz: Path) -> list[dict[str, Any]]:
    """Look, apply twice and go back twice; then the role, which applies and checks."""
    on = {"root": str(tree), "executable": str(pyz)}
    apply, back = on | {"profile": "guest"}, on | {"state": "rolled_back", "checkpoint": "1"}
    steps = {
        "found": ("secboot_info", on, False),
        "checked": ("secboot", apply, True),
        "applied": ("secboot", apply, False),
        "again": ("secboot", apply, False),
        "back": ("secboot", back, False),
        "back_again": ("secboot", back, False),
    }
    tasks: list[dict[str, Any]] = [
        {f"secboot.boot.{module}": options, "check_mode": check, "register": name}
        for name, (module, options, check) in steps.items()
    ]
    role = {f"secboot_apply_{name}": value for name, value in apply.items()}
    tasks.append(
        {
            "ansible.builtin.include_role": {"name": "secboot.boot.secboot_apply"},
            "vars": role | {"secboot_apply_stage": "inherited"},
        }
    )
    results = ", ".join(f"'{name}': {name}" for name in steps)
    content = f"{{{{ {{{results}, 'role': secboot_apply_result}} | to_json }}}}"
    target = str(tree.with_name("results.json"))
    tasks.append({"ansible.builtin.copy": {"content": content, "dest": target}})
    return tasks


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_it_works(release: AnsibleCore, pyz: Path, tmp_path: Path) -> None:
    install_collection(tmp_path)
    write_tree(tmp_path / "tree")
    interpreter = tmp_path / "python"
    without = "-u PYTHONHOME -u PYTHONPATH"
    interpreter.write_text(f'#!/bin/sh\nexec env {without} {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": str(interpreter)},
        "tasks": tasks_of(tmp_path / "tree", pyz),
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))

    run(release, tmp_path, "ansible-playbook", "-i", "localhost,", "play.json")

    results = json.loads((tmp_path / "results.json").read_text())
    changed = {name: result["changed"] for name, result in results.items()}
    assert changed == {
        "found": False,
        "checked": True,
        "applied": True,
        "again": False,
        "back": True,
        "back_again": False,
        "role": True,
    }
    assert results["found"]["status"]["schema"].startswith("secboot/status/")
    files = {path: (tmp_path / "tree" / path).read_bytes() for path in sample_files()}
    assert any(b"swiotlb=262144" in content for content in files.values())


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
def test_its_documentation_is_read(release: AnsibleCore, tmp_path: Path) -> None:
    install_collection(tmp_path)

    said = run(
        release,
        tmp_path,
        "ansible-doc",
        "--json",
        "secboot.boot.secboot",
        "secboot.boot.secboot_info",
    )

    found = json.loads(said)
    assert set(found) == {"secboot.boot.secboot", "secboot.boot.secboot_info"}
    assert all("executable" in each["doc"]["options"] for each in found.values())
