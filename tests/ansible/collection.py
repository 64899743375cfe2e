"""The collection where Ansible looks for it, and Ansible's programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.available import unavailable
from tests.packaging.programs import CHECKOUT, SEARCH_PATH

PROGRAMS = Path(sys.executable).parent


def install_collection(directory: Path, sources: Path = CHECKOUT) -> Path:
    """Copy the collection below `directory`, and return where it is."""
    target = directory / "ansible_collections/secboot/boot"
    shutil.copytree(sources / "ansible/secboot/boot", target)
    return target


def environment(home: Path, collections: Path | None = None) -> dict[str, str]:
    """Return an environment for Ansible that has nothing of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **kept,
        "HOME": os.fspath(home),
        "PATH": f"{PROGRAMS}:{SEARCH_PATH}",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_COLLECTIONS_PATH": os.fspath(collections or home),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
    }


def ansible(
    *words: object, env: dict[str, str], cwd: Path, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs, the first word."""
    program = PROGRAMS / str(words[0])
    if not program.exists():
        unavailable(f"{words[0]} is not installed (the extra `test` has it)")
    return subprocess.run(
        [program, *map(str, words[1:])],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
