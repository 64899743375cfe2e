"""secboot.pyz: the same bytes from the same sources, and all that secboot needs to run."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import zipfile
from pathlib import Path

import pytest

import secboot
from tests.available import not_here
from tests.packaging.programs import CHECKOUT, OLD_PYTHONS, PYTHONS, interpreter, run

BUILDER = CHECKOUT / "packaging/build_pyz.py"
MAIN = CHECKOUT / "packaging/pyz_main.py"
BARE = {"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"}
"""An environment in which nothing but the interpreter and the file is to be found."""


def copied(source: Path, target: Path, *, without: str) -> Path:
    """A copy of the archive in which the sources or the byte code can't be used."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if not name.endswith(without) or name == "__main__.py":
                new.writestr(name, old.read(name))
    return target


def test_two_builds_are_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "again.pyz"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "HOME": "/"}

    built = run(
        "sh", "-c", 'umask 077; exec "$@"', "sh", sys.executable, BUILDER, again,
        cwd=tmp_path, env=environment,
    )  # fmt: skip

    assert built.returncode == 0, built.stderr
    assert again.read_bytes() == pyz.read_bytes()
    assert again.stat().st_mode & 0o777 == 0o755


def test_the_time_is_that_of_source_date_epoch(tmp_path: Path) -> None:
    target = tmp_path / "dated.pyz"

    run(sys.executable, BUILDER, target, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})

    with zipfile.ZipFile(target) as archive:
        assert {info.date_time for info in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}


def test_members_are_sorted_plain_and_pure_python(pyz: Path) -> None:
    with zipfile.ZipFile(pyz) as archive:
        infos = archive.infolist()
        names = archive.namelist()
        sources = [name for name in names if name.endswith(".py") and name != "__main__.py"]

        assert archive.testzip() is None
        assert names == sorted(names)
        assert {info.external_attr for info in infos} == {0o100644 << 16}
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
        for name in sources:
            code = archive.read(f"{name}c")
            assert code[:4] == importlib.util.MAGIC_NUMBER
            # Hash-based and never checked: valid whatever the archive's times are.
            assert code[4:8] == b"\1\0\0\0"
            assert code[8:16] == importlib.util.source_hash(archive.read(name))
    assert not [name for name in names if name.endswith((".so", ".pyd"))]
    assert not [name for name in names if name.startswith(("rich/", "pygments/"))]
    assert {"defusedxml", "typer", "ruamel", "shellingham", "secboot"} < {
        name.split("/")[0] for name in names
    }


def test_it_reads_xml(pyz: Path) -> None:
    domain = CHECKOUT / "tests/data/domains/launch-security.xml"

    assert run(pyz, "check-domain", domain).stdout.startswith("secure1 is fit")


def test_compiled_code_is_refused(tmp_path: Path) -> None:
    """Typer 0.29 asks for pydantic, whose core is compiled for one Python on one machine."""
    for name, file, requires in (
        ("typer", "typer/__init__.py", "Requires-Dist: pydantic-core\n"),
        ("pydantic_core", "pydantic_core/core.so", ""),
    ):
        information = f"{name}-0.29.2.dist-info"
        for path, text in (
            (file, ""),
            (f"{information}/METADATA", f"Name: {name}\nVersion: 0.29.2\n{requires}"),
            (f"{information}/RECORD", f"{file},,\n"),
        ):
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
    target = tmp_path / "secboot.pyz"

    built = run(sys.executable, BUILDER, target, env={**os.environ, "PYTHONPATH": str(tmp_path)})

    assert built.returncode == 1
    assert "pydantic-core has compiled code" in built.stderr
    assert "packaging/constraints.txt" in built.stderr
    assert not target.exists()


def test_it_holds_all_modules_profiles_schemas_and_licences(pyz: Path) -> None:
    package = Path(secboot.__file__).parent
    wanted = {
        f"secboot/{path.relative_to(package).as_posix()}"
        for suffix in ("py", "json", "md")
        for path in package.rglob(f"*.{suffix}")
    }
    wanted |= {f"secboot/profiles/{path.name}" for path in (CHECKOUT / "profiles").glob("*.yaml")}

    names = set(zipfile.ZipFile(pyz).namelist())

    assert wanted <= names
    licensed = {name.split("/")[1].rsplit("-", 1)[0] for name in names if name[:9] == "licenses/"}
    assert licensed == {"annotated-doc", "defusedxml", "ruamel.yaml", "shellingham", "typer"}


def test_it_is_small(pyz: Path) -> None:
    assert pyz.stat().st_size < 5_500_000


@pytest.mark.parametrize("name", PYTHONS)
def test_the_demo_runs_from_the_file_alone(name: str, pyz: Path, tmp_path: Path) -> None:
    python = interpreter(name)
    if python is None:
        # Also in CI: a Debian has one Python, so packaging/setup can't install the others.
        not_here(f"there is no {name} here, neither the system's nor one of pyenv's")
    machine = tmp_path / "machine"

    def secboot_pyz(*words: object) -> str:
        # Isolated and without site-packages, so that nothing of this environment helps.
        done = run(python, "-I", "-S", pyz, *words, env=BARE, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    secboot_pyz("demo", machine)
    before = {path: path.read_bytes() for path in machine.rglob("*") if path.is_file()}
    assert "boot entries to change" in secboot_pyz("plan", "guest", "--root", machine)
    assert "Undo with: secboot rollback 1" in secboot_pyz("apply", "guest", "--root", machine)
    assert "zipl is pending" in secboot_pyz("apply", "guest", "--root", machine)
    secboot_pyz("rollback", "--root", machine)
    assert {path: path.read_bytes() for path in before} == before
    assert "guest-large" in secboot_pyz("profile", "list", "--root", machine)
    assert "secboot plan" in secboot_pyz("plan", "--help")


@pytest.mark.parametrize("without", [".py", ".pyc"])
def test_source_and_byte_code_each_suffice(without: str, pyz: Path, tmp_path: Path) -> None:
    part = copied(pyz, tmp_path / "part.pyz", without=without)

    done = run(sys.executable, "-I", "-S", part, "profile", "show", "guest", env=BARE)

    assert done.returncode == 0, done.stderr
    assert "swiotlb at least 512 MiB" in done.stdout


def test_it_is_executable(pyz: Path) -> None:
    done = run(pyz, "--version", env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"})

    assert done.stdout == f"secboot {secboot.__version__}\n"


@pytest.mark.parametrize("name", ["./secboot.pyz", "secboot.pyz", "../here/secboot.pyz", "link"])
def test_it_is_found_by_any_path(name: str, pyz: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "secboot.pyz").symlink_to(pyz)
    (here / "link").symlink_to("secboot.pyz")

    done = run(sys.executable, "-I", name, "profile", "show", "host", cwd=here)

    assert done.returncode == 0, done.stderr
    assert "prot_virt on" in done.stdout


def test_an_old_python_gets_one_clear_message() -> None:
    program = f"import sys; sys.version_info = (3, 9, 18); exec(open({str(MAIN)!r}).read())"

    done = run(sys.executable, "-c", program, env=BARE)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"secboot: error: Python 3.11 or newer is needed, and {sys.executable} is Python 3.9\n"
        "  install one, for instance python3.11 or python3.12; it need not be the default\n"
    )


def test_an_old_python_hands_over_to_a_newer_one(tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.write_text('#!/bin/sh\necho "handed over: $*"\n')
    newer.chmod(0o755)
    (tmp_path / "python3.13").mkdir()  # no program
    program = f"import sys; sys.version_info = (3, 9, 18); exec(open({str(MAIN)!r}).read())"

    done = run(sys.executable, "-c", program, "plan", "guest", env={"PATH": f"::{tmp_path}"})

    assert done.stdout == "handed over: -c plan guest\n"


@pytest.mark.parametrize("name", OLD_PYTHONS)
def test_real_old_pythons(name: str, pyz: Path) -> None:
    python = interpreter(name)
    if python is None:
        not_here(f"there is no {name} here, neither the system's nor one of pyenv's")

    done = run(python, pyz, "--version", env=BARE)

    assert done.returncode == 1
    assert done.stderr.startswith("secboot: error: Python 3.11 or newer is needed, and ")
    assert "Traceback" not in done.stderr


def test_the_start_is_written_for_old_pythons() -> None:
    ast.parse(MAIN.read_text(), feature_version=(3, 4))


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    done = run(sys.executable, "-I", "-S", BUILDER, tmp_path / "never.pyz")

    assert done.returncode == 1
    assert "is not installed here" in done.stderr
    assert not list(tmp_path.iterdir())
