"""The RPM package: both variants are built, checked by rpmlint, run, and resolved as DNF and zypper do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

import secboot
from tests.packaging.programs import CHECKOUT, URLS, build_rpm, require, run
from tests.packaging.test_distribution_packages import COMMON, modes, require_demo
from tests.workshop import Workshop

pytestmark = pytest.mark.package

SPEC = CHECKOUT / "packaging/rpm/secboot.spec"
MACROS = CHECKOUT / "tests/packaging/pyproject.macros"
IN_RPM = {
    **COMMON,
    "usr/share/zsh/site-functions/_secboot": 0o644,
}
ANY_PYTHON = (
    "(python3 >= 3.11 or python3.12 or python3.11 or python3.13 or python3.14 or python311)"
)


class System(NamedTuple):
    """A distribution: what is installed, what its repositories have, what comes with secboot."""

    installed: tuple[str, ...]
    available: tuple[str, ...]
    expected: str | None
    """The package that is installed with secboot, empty for none; None if secboot can't be."""


SYSTEMS = {
    "EL 8": System(
        (), ("python36 3.6.8 python3=3.6.8", "python3.11 3.11.9", "python3.12 3.12.3"), "python3.12"
    ),
    "EL 8.8": System((), ("python36 3.6.8 python3=3.6.8", "python3.11 3.11.2"), "python3.11"),
    "EL 9": System(("python3 3.9.18",), ("python3.11 3.11.9", "python3.12 3.12.3"), "python3.12"),
    "EL 9 with python3.11": System(
        ("python3 3.9.18", "python3.11 3.11.9"), ("python3.12 3.12.3",), ""
    ),
    "EL 9.0": System(("python3 3.9.10",), (), None),
    "EL 10": System(("python3 3.12.9",), ("python3.13 3.13.2",), ""),
    "Fedora": System(("python3 3.14.0",), ("python3.11 3.11.9", "python3.12 3.12.9"), ""),
    "Fedora in a container": System((), ("python3 3.14.0", "python3.12 3.12.9"), "python3"),
    "SLES 15": System(("python3 3.6.15",), ("python311 3.11.9",), "python311"),
    "SLES 16": System((), ("python313 3.13.1 python3=3.13.1",), "python313"),
}


@pytest.fixture(scope="session")
def rpm(workshop: Workshop, published: Path) -> Path:
    """The package with the libraries."""

    def make(directory: Path) -> None:
        build_rpm(directory, sources=published)

    return next(workshop.directory("rpm", make).iterdir())


def unpacked(package: Path, tree: Path) -> dict[str, int]:
    """Unpack a package; return the modes of its files."""
    tree.mkdir()
    archive = subprocess.run([require("rpm2cpio"), package], capture_output=True, check=True).stdout
    unpack = [require("cpio"), "--quiet", "-idm"]
    subprocess.run(unpack, input=archive, cwd=tree, check=True)
    return modes(tree)


def queried(package: Path, query: str) -> set[str]:
    lines = run(require("rpm"), "-qp", *query.split(" "), package).stdout.splitlines()
    return {line for line in lines if not line.startswith("rpmlib(")}


def require_documentation(tree: Path, found: dict[str, int]) -> None:
    """All pages are there, and so is every file to which one of them refers."""
    place = "usr/share/doc/secboot"
    for name in ("README.md", "CHANGELOG.md", "SECURITY.md", "how-to/rescue.md", "index.md"):
        assert found[f"{place}/{name}"] == 0o644
    pages = {path.relative_to(CHECKOUT / "docs") for path in (CHECKOUT / "docs").rglob("*.md")}
    assert {f"{place}/{page}" for page in pages if page.parts[0] != "man"} <= found.keys()
    link = re.compile(r"\]\(([^)#: ]+)(?:#[^)]*)?\)")
    assert [
        f"{page.name}: {target}"
        for page in (tree / place).rglob("*.md")
        for target in link.findall(page.read_text())
        # That is for those who have the source.
        if target != "CONTRIBUTING.md" and not page.parent.joinpath(target).exists()
    ] == []


def require_clean(*files: Path) -> None:
    linted = run(require("rpmlint"), "--config", SPEC.with_name("rpmlint.toml"), *files)
    assert " 0 errors, 0 warnings" in linted.stdout, linted.stdout


def test_with_the_libraries(rpm: Path, published: Path, tmp_path: Path) -> None:
    """The package for EL and SLES."""
    tree = tmp_path / "tree"
    found = unpacked(rpm, tree)
    lock = re.findall(r"^(\S+)==(\S+)", (CHECKOUT / "packaging/pyz.lock").read_text(), re.MULTILINE)
    bundled = [*lock, ("click", "8.3.1")]
    licences = "usr/share/licenses/secboot"

    assert found.items() >= IN_RPM.items()
    require_documentation(tree, found)
    require_demo(tree, tmp_path / "machine")
    assert queried(rpm, "--requires") == {"/bin/sh", ANY_PYTHON}
    assert queried(rpm, "--provides") == {
        f"secboot = {secboot.__version__}-1",
        *(f"bundled(python3dist({name})) = {version}" for name, version in bundled),
    }
    assert queried(rpm, "--qf %{license}") == {
        "Apache-2.0 AND MIT AND BSD-3-Clause AND ISC AND PSF-2.0"
    }
    assert {path.rsplit("-", 1)[0] for path in found if path.startswith(f"{licences}/")} >= {
        f"{licences}/{name.replace('ruamel-', 'ruamel.')}" for name, _ in lock
    }
    assert f"{licences}/click/LICENSE.txt" in found
    assert queried(rpm, "--qf %{url}") == {URLS["Homepage"]}
    require_clean(rpm, published / "packaging/rpm/secboot.spec")


def test_the_part_of_click_is_of_this_version() -> None:
    import typer  # noqa: PLC0415 - only its text

    text = Path(str(typer.__file__)).with_name("_click").joinpath("__init__.py").read_text()
    assert "click/releases/tag/8.3.1" in text


def test_without_the_libraries(tmp_path: Path) -> None:
    """The package for Fedora, whose macros are stood in for: their own have not run here."""
    package = build_rpm(tmp_path / "rpm", "--without", "bundled", "--load", str(MACROS))
    tree = tmp_path / "tree"
    found = unpacked(package, tree)

    required = {re.sub(r"3\.1\d(?=dist|$)", "3.N", line) for line in queried(package, "--requires")}

    assert found.items() >= IN_RPM.items()
    require_documentation(tree, found)
    assert (tree / "usr/bin/secboot").read_text().startswith("#!/usr/bin/python3 -I\n")
    assert required == {
        "/bin/sh",
        "/usr/bin/python3",
        "python(abi) = 3.N",
        "python3.Ndist(defusedxml) >= 0.7.1",
        "python3.Ndist(ruamel-yaml) >= 0.18.10",
        "python3.Ndist(typer) >= 0.15.2",
    }
    assert not [line for line in queried(package, "--provides") if line.startswith("bundled")]
    assert queried(package, "--qf %{license}") == {"Apache-2.0"}
    assert queried(package, "--scripts") >= {
        "true systemd_post secboot-trial.service",
        "true systemd_preun secboot-trial.service secboot-apply@.service secboot-verify@.timer",
        "true systemd_postun secboot-trial.service",
    }
    require_clean(package, SPEC)


@pytest.mark.parametrize(
    ("distribution", "licence"), [("fedora 43", "Apache-2.0"), ("rhel 9", "Apache-2.0 AND MIT")]
)
def test_a_distribution_has_its_variant(distribution: str, licence: str) -> None:
    query = (require("rpmspec"), "-q", "--load", MACROS, "--define", distribution)

    found = run(*query, "--define", "build_python python3", "--qf", "%{license}", SPEC)

    assert found.stdout.startswith(licence), found.stderr
    assert ("AND" in found.stdout) is ("AND" in licence)


@pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS.keys())
def test_which_python_is_installed_with_it(system: System, rpm: Path, tmp_path: Path) -> None:
    """By libsolv, which decides for DNF and zypper, from what RPM wrote into the package."""
    solv = subprocess.run([require("rpms2solv"), rpm], capture_output=True, check=True).stdout
    (tmp_path / "own.solv").write_bytes(solv)
    shell = "bash 5 /bin/sh"
    case = tmp_path / "case.t"
    case.write_text(
        f"repo system 0 testtags <inline>\n{repository(shell, *system.installed)}"
        f"repo distribution 0 testtags <inline>\n{repository(*system.available)}"
        "repo own 0 solv own.solv\n"
        "system x86_64 rpm system\n"
        "job install name secboot\n"
        "result transaction,problems <inline>\n"
    )

    done = run(require("testsolv"), "-r", case, cwd=tmp_path)

    if system.expected is None:
        assert f"nothing provides {ANY_PYTHON} needed by secboot" in done.stdout
    else:
        installed = re.findall(r"^install (\S+)-\S+-1\.\S+@", done.stdout, re.MULTILINE)
        assert installed == sorted({system.expected, "secboot"} - {""}), done.stdout


def repository(*packages: str) -> str:
    """A repository in the form of libsolv's test cases; each package is "NAME VERSION PROVIDES..."."""
    lines = ["#>=Ver: 3.0"]
    for name, version, *provides in (each.split() for each in packages):
        lines.append(f"#>=Pkg: {name} {version} 1 x86_64")
        lines += [
            f"#>=Prv: {each.replace('=', ' = ')}" for each in (f"{name}={version}", *provides)
        ]
    return "".join(f"{line}\n" for line in lines)


def test_rpm_itself_requires_one_of_them(rpm: Path, tmp_path: Path) -> None:
    database = ("--root", tmp_path, "--test")

    done = run(require("rpm"), *database, "-i", rpm, env={**os.environ, "LC_ALL": "C"})

    assert f"{ANY_PYTHON} is needed by secboot" in done.stderr
