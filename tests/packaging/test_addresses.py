"""Public addresses are written in pyproject.toml alone, and copied from there."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.packaging.programs import CHECKOUT, URLS, run

PAGE, CODE, ISSUES, DOCS = URLS.values()
ADDED = {
    "ansible/secboot/boot/galaxy.yml": [
        f"repository: {CODE}",
        f"documentation: {DOCS}",
        f"homepage: {PAGE}",
        f"issues: {ISSUES}",
    ],
    "packaging/debian/control": [
        f"Homepage: {PAGE}",
        f"Vcs-Git: {CODE} [packaging]",
        f"Vcs-Browser: {CODE}",
    ],
    "packaging/debian/copyright": [f"Source: {CODE}"],
    "packaging/debian/upstream/metadata": [
        f"Bug-Database: {ISSUES}",
        f"Documentation: {DOCS}",
        f"Repository: {CODE}",
        f"Repository-Browse: {CODE}",
    ],
    "packaging/debian/watch": [
        "Version: 5",
        "",
        f"Source: {CODE}",
        "Mode: git",
        r"Matching-Pattern: refs/tags/v?([\d.]+)",
    ],
    "packaging/rpm/secboot.spec": [f"URL:            {PAGE}"],
}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.is_file() else []


def test_what_an_address_adds(published: Path) -> None:
    files = [
        path.relative_to(published)
        for part in ("ansible", "packaging")
        for path in (published / part).rglob("*")
        if path.suffix != ".pyc" and path.is_file()
    ]
    here = {file: lines(CHECKOUT / file) for file in files}

    added = {
        file.as_posix(): [line for line in lines(published / file) if line not in here[file]]
        for file in files
    }

    assert {file: new for file, new in added.items() if new} == ADDED


def test_all_addresses_or_none(published: Path, tmp_path: Path) -> None:
    module = tmp_path / "packaging/reference/addresses.py"
    module.parent.mkdir(parents=True)
    module.write_text((published / "packaging/reference/addresses.py").read_text())
    (tmp_path / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://example.org/"\n'
    )

    done = run(sys.executable, "-c", "import addresses; addresses.addresses()", cwd=module.parent)

    assert done.returncode == 1
    assert done.stderr == (
        "pyproject.toml: [project.urls] also needs Homepage, Issues, Documentation\n"
    )
