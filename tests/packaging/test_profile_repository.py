"""A Git repository of profiles, set up as its page in the documentation says."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.packaging.programs import CHECKOUT, require, run

PAGE = CHECKOUT / "docs/how-to/profiles-in-git.md"
HOOKS = CHECKOUT / ".pre-commit-hooks.yaml"
FILES = dict(
    re.findall(r"^~~~yaml\n# (\S+)\n(.*?)^~~~$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
)
"""The files that the page shows, by the path in their first line."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `secboot` is this checkout's, and nothing outside the directory is written."""
    program = tmp_path / "bin/secboot"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m secboot "$@"\n')
    program.chmod(0o755)
    directories = (program.parent, Path(sys.executable).parent, "/usr/bin", "/bin")
    return {
        "PATH": ":".join(map(str, directories)),
        "PYTHONPATH": str(CHECKOUT),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture
def repository(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A repository with the page's files and two profiles, one of which extends the other."""
    directory = tmp_path / "site"
    (directory / "profiles").mkdir(parents=True)
    for name, text in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    (directory / "profiles/base.yaml").write_text("version: 1\nextends: guest\n")
    (directory / "profiles/payroll.yaml").write_text("version: 1\nextends: base.yaml\n")
    git = require("git")
    for words in (["init", "--quiet"], ["add", "."]):
        assert run(git, *words, cwd=directory, env=environment).returncode == 0
    return directory


def test_a_commit_is_checked(repository: Path, environment: dict[str, str]) -> None:
    def hooks() -> tuple[int, str]:
        words = ("pre-commit", "run", "--all-files", "--color=never")
        done = run(*words, cwd=repository, env=environment)
        return done.returncode, done.stdout

    code, said = hooks()
    assert (code, "Passed" in said) == (0, True), said

    (repository / "profiles/base.yaml").write_text("version: 1\nparameters: {prot-virt: 1}\n")
    code, said = hooks()

    assert code == 1
    # The file itself, and what extends it.
    assert said.count("profiles/base.yaml:2:14: the kernel does not know 'prot-virt'") == 2


def test_the_hook_of_the_repository_is_that_of_the_page() -> None:
    validated = run("pre-commit", "validate-manifest", HOOKS)
    (shipped,) = YAML(typ="safe", pure=True).load(HOOKS.read_text())
    (local,) = YAML(typ="safe", pure=True).load(FILES[".pre-commit-config.yaml"])["repos"]
    (shown,) = local["hooks"]

    assert validated.returncode == 0, validated.stdout
    assert (shipped["id"], shipped["entry"]) == (shown["id"], shown["entry"])
    assert shipped["language"] == "python"
    for name, is_profile in (("profiles/a.yaml", True), ("profiles/a/b.yaml", False)):
        for hook in (shipped, shown):
            assert bool(re.search(hook["files"], name)) is is_profile


@pytest.mark.parametrize(
    ("name", "schema"),
    [(".gitlab-ci.yml", "gitlab-ci"), (".github/workflows/profiles.yml", "github-workflows")],
)
def test_a_snippet_for_ci_is_valid_and_runs(
    name: str, schema: str, repository: Path, environment: dict[str, str], pyz: Path
) -> None:
    checked = run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", repository / name)
    (command,) = re.findall(r"python3 tools/secboot\.pyz .*", FILES[name])
    (repository / "tools").mkdir()
    shutil.copy(pyz, repository / "tools")

    done = run("sh", "-c", command, cwd=repository, env=environment)

    assert checked.returncode == 0, checked.stdout
    assert done.returncode == 0, done.stderr
    assert "profiles/payroll.yaml: valid" in done.stdout
