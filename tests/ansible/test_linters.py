"""The importer of Galaxy and Ansible's linters accept the collection and its documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from tests.ansible.collection import ansible, environment, install_collection
from tests.available import unavailable
from tests.packaging.programs import CHECKOUT

PAGES = sorted([CHECKOUT / "docs/how-to/fleets.md", *CHECKOUT.glob("ansible/**/README.md")])
BLOCK = re.compile(r"^```yaml\n(- name: .*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.package


@pytest.fixture
def collection(tmp_path: Path, published: Path) -> Path:
    """The collection as it would be published: Galaxy requires the address of a repository."""
    return install_collection(tmp_path, published)


def lint(*words: object, collection: Path) -> str:
    """Run a linter in the collection, which must find nothing; return its output."""
    done = ansible(*words, env=environment(collection.parents[2]), cwd=collection)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def write_examples(directory: Path) -> int:
    """Write the playbooks and tasks of the documentation as playbooks; return their number."""
    directory.mkdir()
    examples = [block for page in PAGES for block in BLOCK.findall(page.read_text())]
    for number, example in enumerate(examples):
        text = example
        if "  hosts: " not in example:
            text = "- name: Tasks\n  hosts: all\n  tasks:\n" + indent(example, "    ")
        (directory / f"example_{number}.yml").write_text(f"---\n{text}")
    return len(examples)


def test_ansible_lint_production(collection: Path) -> None:
    assert write_examples(collection / "playbooks") >= 5
    # It looks at the files that git knows.
    subprocess.run(["git", "init", "--quiet", "."], cwd=collection, check=True)
    subprocess.run(["git", "add", "--all"], cwd=collection, check=True)

    said = lint(
        "ansible-lint", "--offline", "--strict", "--nocolor", "--profile", "production",
        collection=collection,
    )  # fmt: skip

    assert "Profile 'production' was required, and it passed" in said


def test_antsibull_docs(collection: Path) -> None:
    said = lint(
        "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all",
        "--disallow-unknown-collection-refs", ".",
        collection=collection,
    )  # fmt: skip

    assert said == ""


def test_the_changelog(collection: Path) -> None:
    """The fragments are valid, and CHANGELOG.md is made from changelogs/changelog.yaml."""
    written = (collection / "CHANGELOG.md").read_bytes()

    lint("antsibull-changelog", "lint", collection=collection)
    lint("antsibull-changelog", "generate", collection=collection)

    assert (collection / "CHANGELOG.md").read_bytes() == written


def test_galaxy_importer(collection: Path, tmp_path: Path) -> None:
    lint("ansible-galaxy", "collection", "build", "--output-path", tmp_path, collection=collection)
    archive = next(tmp_path.glob("secboot-boot-*.tar.gz"))
    env = environment(tmp_path)
    # The test above runs it with all rules, of which the importer has a part.
    env["GALAXY_IMPORTER_RUN_ANSIBLE_LINT"] = "false"
    known = subprocess.run(
        [sys.executable, "-c", "import galaxy_importer"], capture_output=True, check=False
    )
    if known.returncode:
        unavailable("galaxy-importer is not installed (the extra `test` has it)")

    done = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", archive],
        cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip

    assert "Importer processing completed successfully" in done.stdout, done.stdout + done.stderr
    flaws = [line for line in done.stdout.splitlines() if line.startswith(("WARNING", "ERROR"))]
    # It reports every ignore file. What is ignored there is the licence, Apache-2.0 as for all of secboot.
    assert [line for line in flaws if "found ignore-2." not in line] == []
