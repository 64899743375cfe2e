"""The Debian source package: built, installed and tested on Debian 13 and sid, and clean for sid's lintian."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.available import not_here, unavailable
from tests.packaging.debian_tree import DEBIAN_13, SID, DebianTree
from tests.packaging.programs import build_debian_source, run
from tests.packaging.test_distribution_packages import (
    DEBIAN,
    modes,
    require_nothing_started,
)
from tests.workshop import Workshop

pytestmark = [pytest.mark.package, pytest.mark.usefixtures("as_root")]

BUILD_AND_TEST = """\
set -e
dpkg-source --extract secboot_*.dsc work
cd work
# Without build-essential: nothing is compiled.
dpkg-buildpackage --unsigned-source --unsigned-changes --ignore-builtin-builddeps
cd ..
rm -r work
dpkg --install bundled/*.deb
secboot --version
# It is replaced by the one that was built.
autopkgtest --output-dir tests *.changes -- null
dpkg-query --show --showformat '${db:Status-Abbrev}' secboot > installed
dpkg --purge secboot
find / -xdev -name '*secboot*' -not -name '*no-compiler*' > left
"""
EXPLAINED = {
    "missing-prerequisite-for-pyproject-backend": "lintian does not read build profiles",
    "package-contains-documentation-outside-usr-share-doc": "the program reads the file",
    "package-uses-old-debhelper-compat-version": "the newest of Debian 13",
    "redundant-priority-optional-field": "not in Debian 12",
    "redundant-rules-requires-root-no-field": "not in Debian 12",
    "initial-upload-closes-no-bugs": "it is not in Debian",
}
"""Overrides, and why they hide nothing. The files with the overrides say it at more length."""


def built_in(release: DebianTree, bundled: Path, sources: Path, workshop: Workshop) -> Path:
    """The source package and what a release made of it: a package, its changes and test results.

    It was installed over the bundled package.
    """

    def make(directory: Path) -> None:
        build_debian_source(directory, sources)
        (directory / "bundled").mkdir()
        shutil.copy(bundled, directory / "bundled")
        done = release.run(directory, "sh", "-c", BUILD_AND_TEST)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    return workshop.directory(f"debian-source-{release.suites[0]}", make)


@pytest.fixture(scope="session")
def source_package(deb: Path, published: Path, workshop: Workshop) -> Path:
    """What Debian 13 made of the source package."""
    if not DEBIAN_13.directory.is_dir():
        unavailable("Debian 13 is not installed in a directory; run packaging/setup")
    return built_in(DEBIAN_13, deb, published, workshop)


@pytest.fixture(scope="session")
def sid() -> DebianTree:
    """Sid, which also has the newest lintian."""
    if not SID.directory.is_dir():
        not_here("sid could not be installed in a directory")
    return SID


@pytest.fixture(scope="session")
def unbundled(source_package: Path) -> Path:
    """The package that uses Debian's libraries."""
    (package,) = source_package.glob("*.deb")
    return package


def field(package: Path, name: str) -> str:
    return run("dpkg-deb", "--field", package, name).stdout.strip()


def lintian(release: DebianTree, file: Path) -> tuple[list[str], set[str]]:
    """What a release's lintian finds, and the tags that are overridden."""
    options = ("--allow-root", "--display-info", "--pedantic", "--show-overrides")
    done = release.run(file.parent, "lintian", *options, file.name)
    assert "cannot run" not in done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith(("N:", "M:"))]
    hidden = {line.split(": ")[2].split()[0] for line in lines if line.startswith("O:")}
    return [line for line in lines if not line.startswith("O:")], hidden


def test_the_package(unbundled: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "-x", unbundled, tmp_path)
    found = modes(tmp_path)

    assert found.items() >= DEBIAN.items()
    assert found["usr/share/doc/secboot/how-to/rescue.md"] == 0o644
    assert found["usr/share/doc/secboot/SECURITY.md"] == 0o644
    assert found["usr/lib/python3/dist-packages/secboot/cli/__init__.py"] == 0o644
    assert (tmp_path / "usr/bin/secboot").read_text().startswith("#! /usr/bin/python3 -I\n")
    assert set(field(unbundled, "Depends").split(", ")) == {
        "python3-defusedxml (>= 0.7.1)",
        "python3-ruamel.yaml (>= 0.18.10)",
        "python3-typer (>= 0.15.2)",
        "python3:any",
    }
    require_nothing_started(unbundled, tmp_path / "control")


def test_the_pages_refer_to_pages_of_the_package(unbundled: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "-x", unbundled, tmp_path)
    pages = tmp_path / "usr/share/doc/secboot"

    targets = {
        (page.relative_to(pages).as_posix(), target)
        for page in pages.rglob("*.md")
        for target in re.findall(r"\]\(([^)#: ]+)(?:#[^)]*)?\)", page.read_text())
        # That is for those who have the source.
        if target != "CONTRIBUTING.md"
    }

    assert len(targets) > 40
    assert {
        each for each in targets if not (pages / each[0]).parent.joinpath(each[1]).exists()
    } == set()


def require_tested(directory: Path) -> None:
    """The package's own tests have passed; it was installed for them, and has gone without a trace."""
    summary = (directory / "tests/summary").read_text()
    assert re.findall(r"^(\S+) +(\S+)", summary, re.MULTILINE) == [
        ("sample-tree", "PASS"),
        ("installed-files", "PASS"),
    ]
    assert (directory / "installed").read_text() == "ii "
    assert (directory / "left").read_text() == ""


def test_debian_13_builds_installs_and_tests_it(source_package: Path) -> None:
    require_tested(source_package)


def test_sid_builds_installs_and_tests_it(
    sid: DebianTree, deb: Path, published: Path, workshop: Workshop
) -> None:
    require_tested(built_in(sid, deb, published, workshop))


def test_lintian_finds_nothing(source_package: Path, sid: DebianTree) -> None:
    (changes,) = source_package.glob("*.changes")

    found, hidden = lintian(sid, changes)

    assert found == []
    assert hidden == EXPLAINED.keys()


def test_lintian_finds_nothing_in_the_bundled_package(deb: Path, sid: DebianTree) -> None:
    found, hidden = lintian(sid, deb)

    assert found == []
    assert hidden == {"initial-upload-closes-no-bugs"}


def test_the_bundled_package_is_replaced_by_that_of_debian_13(deb: Path, unbundled: Path) -> None:
    older, newer = field(deb, "Version"), field(unbundled, "Version")

    assert run("dpkg", "--compare-versions", older, "lt", newer).returncode == 0
    assert field(deb, "Depends") == "python3 (>= 3.11) | python3.11"


def test_the_bundled_package_names_the_licences_of_what_it_contains(
    deb: Path, unbundled: Path, tmp_path: Path
) -> None:
    for package in (deb, unbundled):
        run("dpkg-deb", "-x", package, tmp_path / package.parent.name)
    bundled, alone = (
        (tmp_path / each.parent.name / "usr/share/doc/secboot/copyright").read_text()
        for each in (deb, unbundled)
    )

    assert re.findall("^License: (.*)", alone, re.MULTILINE) == ["Apache-2.0"] * 2
    assert set(re.findall("^Files: (.*)", bundled, re.MULTILINE)) == {
        "*",
        "defusedxml/*",
        "typer/* annotated_doc/*",
        "typer/_click/*",
        "ruamel/*",
        "shellingham/*",
    }
