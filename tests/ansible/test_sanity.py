"""``ansible-test sanity`` on the collection, and ``--syntax-check`` on what is exported for it.

ansible-test makes environments of its own for its linters and wants to fetch pip for them from a
place that is neither a package index nor Python itself. Python brings a pip along, which it is
given instead; everything else comes from the package index. The environments are kept for later runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from tests.ansible.collection import ansible, environment, install_collection
from tests.ansible.test_states import write_tree
from tests.export.requests import shipped, site

pytestmark = pytest.mark.package

PIP_SCRIPT = "get_pip_24_2.py"
"""As ansible-core's `ansible_test/_internal/python_requirements.py` calls it."""


def kept_home() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    home = cache / "secboot-ansible-test"
    scripts = home / ".ansible/test/cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in (PIP_SCRIPT, "get_pip_25_2.py"):
        (scripts / name).write_text("import ensurepip\n\nensurepip.bootstrap()\n")
    return home


def test_ansible_test_sanity(tmp_path: Path) -> None:
    collection = install_collection(tmp_path)
    # ansible-test looks at the files that git knows.
    subprocess.run(["git", "init", "--quiet", "."], cwd=collection, check=True)
    subprocess.run(["git", "add", "--all"], cwd=collection, check=True)

    done = ansible(
        "ansible-test", "sanity", "--python", f"{sys.version_info.major}.{sys.version_info.minor}", "--color", "no",
        env=environment(kept_home()), cwd=collection, timeout=600,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    for name in (
        "ansible-doc",
        "compile",
        "import",
        "pep8",
        "pylint",
        "validate-modules",
        "yamllint",
    ):
        assert f'Running sanity test "{name}"' in done.stderr + done.stdout


def test_exported_playbooks_are_playbooks(tmp_path: Path) -> None:
    install_collection(tmp_path)
    for order in (shipped("guest"), site()):
        playbook = tmp_path / f"{order.profile.name}.yml"
        playbook.write_text(WRITERS[ExportFormat.ANSIBLE].write(order).text)

        done = ansible(
            "ansible-playbook", "--syntax-check", "--inventory", "localhost,", playbook,
            env=environment(tmp_path), cwd=tmp_path,
        )  # fmt: skip

        assert done.returncode == 0, done.stdout + done.stderr


def test_check_mode_reports_a_profile_that_it_would_copy(pyz: Path, tmp_path: Path) -> None:
    """The plan would be that of another profile, or fail."""
    install_collection(tmp_path)
    write_tree(tmp_path / "tree")
    playbook = tmp_path / "site.yml"
    playbook.write_text(WRITERS[ExportFormat.ANSIBLE].write(site()).text)
    own = {
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
        "secboot_apply_root": str(tmp_path / "tree"),
        "secboot_apply_executable": str(pyz),
    }

    done = ansible(
        "ansible-playbook", "--check", "--inventory", "localhost,", "--connection", "local",
        "--extra-vars", json.dumps(own), playbook,
        env=environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "it cannot tell what they would change" in done.stdout
    assert not (tmp_path / "tree/etc/secboot").exists()


def test_a_wrong_playbook_would_be_found(tmp_path: Path) -> None:
    install_collection(tmp_path)
    playbook = tmp_path / "wrong.yml"
    text = WRITERS[ExportFormat.ANSIBLE].write(shipped("guest")).text
    playbook.write_text(text.replace("secboot.boot.secboot_apply", "secboot.boot.secboot_applys"))

    done = ansible(
        "ansible-playbook", "--syntax-check", "--inventory", "localhost,", playbook,
        env=environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode != 0
    assert "secboot.boot.secboot_applys" in done.stdout + done.stderr
