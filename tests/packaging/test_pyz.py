"""secboot.pyz: the same bytes from the same sources, and all that secboot needs to run."""

from __future__ import annotations

import ast
import importlib.util
import io
import marshal
import os
import re
import sys
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import pytest

import secboot
from tests.available import not_here, unavailable
from tests.packaging import debian
from tests.packaging.programs import CHECKOUT, OLD_PYTHONS, PYTHONS, interpreter, run, with_pythons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

BUILDER = CHECKOUT / "packaging/build_pyz.py"
MAIN = CHECKOUT / "packaging/pyz_main.py"
BARE = {"PATH": "/nonexistent", "LC_ALL": "C.UTF-8"}
"""An environment in which nothing but the interpreter and the file is to be found."""


def copied(source: Path, target: Path, *, without: str) -> Path:
    """A copy of the archive in which the sources or the byte code can't be used."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if not re.search(without, name) or name == "__main__.py":
                new.writestr(name, old.read(name))
    return target


def sources(archive: Path) -> dict[str, bytes]:
    """The sources of all modules, by file name."""
    with zipfile.ZipFile(archive) as outer:
        inner = io.BytesIO(outer.read("sources.zip"))
    with zipfile.ZipFile(inner) as found:
        return {name: found.read(name) for name in found.namelist()}


Code = tuple[bool, "CodeType | None"]
"""Whether a module is a package, and its code if that is for the Python that runs this."""
OWN = int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little")


def byte_code(archive: Path) -> dict[int, dict[str, Code]]:
    """The modules of each member with byte code, by the magic number of its Python."""
    with zipfile.ZipFile(archive) as file:
        names = [name for name in file.namelist() if name.startswith("byte-code/")]
        members = {int(name.partition("/")[2]): file.read(name) for name in names}
    return {magic: dict(modules(magic, member)) for magic, member in members.items()}


def modules(magic: int, member: bytes) -> Iterator[tuple[str, Code]]:
    size = int.from_bytes(member[-4:], "little")
    for name, (is_package, start, end, is_packed) in marshal.loads(member[-4 - size :]).items():
        code = member[start:end]
        if is_packed:
            code = zlib.decompress(code, -zlib.MAX_WBITS)
        yield name, (is_package, marshal.loads(code) if magic == OWN else None)


def command_of(name: str) -> tuple[list[str], dict[str, str]]:
    """A Python and its environment: the system's, pyenv's, or another Debian's."""
    found = interpreter(name)
    return of_debian(name) if found is None else ([found, "-I"], BARE)


def of_debian(name: str) -> tuple[list[str], dict[str, str]]:
    """A Python that another release of Debian has, and its environment."""
    releases = {f"python{each.python}": each for each in (debian.DEBIAN_13, debian.SID)}
    release = releases.get(name)
    command = None if release is None else release.command()
    if release is None or command is None:
        if release is debian.DEBIAN_13:
            unavailable(f"{name} is not unpacked; run packaging/setup")
        # Also in CI: this Debian has one Python, and packaging/setup can't install all others.
        not_here(f"{name} not found: neither the system's, nor pyenv's, nor another Debian's")
    return command, {**BARE, **release.environment()}


def test_two_builds_are_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "again.pyz"
    usual = with_pythons(tmp_path / "pythons")
    environment = {**usual, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "HOME": "/"}

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

        assert archive.testzip() is None
        assert names == sorted(names)
        assert {info.external_attr for info in infos} == {0o100644 << 16}
        assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert not [name for name in names if name.endswith((".so", ".pyd"))]
    assert not [name for name in names if name.startswith(("rich/", "pygments/"))]
    assert {name.split("/")[0] for name in sources(pyz)} == {
        *("annotated_doc", "defusedxml", "typer", "ruamel", "shellingham", "secboot")
    }


def test_it_reads_xml(pyz: Path) -> None:
    domain = CHECKOUT / "tests/data/domains/launch-security.xml"

    assert run(pyz, "check-domain", domain).stdout.startswith("secure1 is fit")


class Typer(NamedTuple):
    """A stand-in for the installed Typer, and what the build says of it."""

    said: str = ""
    version: str = "0.28.0"
    metadata: str = ""
    file: str = "typer/__init__.py"
    record: str = ""

    def install(self, directory: Path) -> None:
        information = directory / f"typer-{self.version}.dist-info"
        information.mkdir()
        (directory / "typer").mkdir()
        (directory / self.file).write_text("")
        head = f"Metadata-Version: 2.4\nName: typer\nVersion: {self.version}\n"
        (information / "METADATA").write_text(head + self.metadata)
        (information / "RECORD").write_text(f"{self.file},{self.record},\n")


PINNED = {
    "named": Typer(),
    "another version": Typer("of typer, 0.29.2 is installed, pyz.lock names 0.28.0", "0.29.2"),
    "compiled": Typer("typer has compiled code", file="typer/core.so"),
    "changed": Typer("__init__.py differs from the wheel of typer", record="sha256=abc"),
    "unnamed": Typer(
        "pydantic-core is needed, but pyz.lock does not name it",
        metadata="Requires-Dist: pydantic_core>=2\n",
    ),
    "unnamed for an old Python": Typer(
        "backport is needed, but pyz.lock does not name it",
        metadata="Requires-Dist: backport; python_version < '3.12'\n",
    ),
    "unnamed for a new Python": Typer(
        "front is needed, but pyz.lock does not name it",
        metadata="Requires-Dist: front; python_version >= '3.14'\n",
    ),
    "for another system": Typer(metadata="Requires-Dist: colorama; sys_platform == 'win32'\n"),
    "for an extra": Typer(metadata="Requires-Dist: more; extra == 'all'\n"),
    "too old": Typer(
        "pyz.lock has shellingham 1.5.4, but shellingham<3,>=2 is required",
        metadata="Requires-Dist: shellingham>=2,<3\n",
    ),
    "not for all": Typer(
        "typer 0.28.0 is not for Python 3.13, 3.14", metadata="Requires-Python: >=3.9,<3.13\n"
    ),
}


@pytest.mark.parametrize("typer", PINNED.values(), ids=PINNED.keys())
def test_only_what_the_lock_names_goes_in(typer: Typer, tmp_path: Path) -> None:
    typer.install(tmp_path)
    target = tmp_path / "secboot.pyz"

    built = run(sys.executable, BUILDER, target, env={**os.environ, "PYTHONPATH": str(tmp_path)})

    assert built.returncode == (1 if typer.said else 0), built.stderr
    assert typer.said in built.stderr
    assert target.exists() is (not typer.said)


def test_the_lock_is_what_is_needed_and_pip_checks_it() -> None:
    """Every line has a version and a hash, and the lock's Typer is one that imports little."""
    lines = (CHECKOUT / "packaging/pyz.lock").read_text().splitlines()
    named = {line.partition("==")[0] for line in lines if not line.startswith("#")}
    checked = run(
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--dry-run"),
        *("--require-hashes", "--no-deps", "-r", CHECKOUT / "packaging/pyz.lock"),
        *("-c", CHECKOUT / "packaging/constraints.txt"),
    )

    assert named == {"annotated-doc", "defusedxml", "ruamel-yaml", "shellingham", "typer"}
    assert checked.returncode == 0, checked.stderr


def test_it_holds_all_modules_profiles_schemas_and_licences(pyz: Path) -> None:
    package = Path(secboot.__file__).parent
    wanted = {
        f"secboot/{path.relative_to(package).as_posix()}"
        for suffix in ("py", "json", "md")
        for path in package.rglob(f"*.{suffix}")
    }
    wanted |= {f"secboot/profiles/{path.name}" for path in (CHECKOUT / "profiles").glob("*.yaml")}

    names = {*zipfile.ZipFile(pyz).namelist(), *sources(pyz)}

    assert wanted <= names
    licensed = {name.split("/")[1].rsplit("-", 1)[0] for name in names if name[:9] == "licenses/"}
    assert licensed == {"annotated-doc", "defusedxml", "ruamel.yaml", "shellingham", "typer"}


def test_it_is_small(pyz: Path) -> None:
    assert pyz.stat().st_size < 8_000_000


@pytest.mark.parametrize("name", PYTHONS)
def test_the_demo_runs_from_the_file_alone(name: str, pyz: Path, tmp_path: Path) -> None:
    command, environment = command_of(name)
    machine = tmp_path / "machine"

    def secboot_pyz(*words: object) -> str:
        # Isolated and without site-packages, so that nothing of this environment helps.
        done = run(*command, "-S", pyz, *words, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    secboot_pyz("demo", machine)
    before = {path: path.read_bytes() for path in machine.rglob("*") if path.is_file()}
    assert "boot entries to change" in secboot_pyz("plan", "guest", "--root", machine)
    assert "Undo with: secboot rollback 1" in secboot_pyz("apply", "guest", "--root", machine)
    assert "Boot record not updated" in secboot_pyz("apply", "guest", "--root", machine)
    secboot_pyz("rollback", "--root", machine)
    assert {path: path.read_bytes() for path in before} == before
    assert "guest-large" in secboot_pyz("profile", "list", "--root", machine)
    assert "secboot plan" in secboot_pyz("plan", "--help")


@pytest.mark.parametrize("name", PYTHONS)
def test_it_has_byte_code_for_every_python(name: str, pyz: Path, tmp_path: Path) -> None:
    """The archive without sources runs, in the places where the sources would be."""
    command, environment = command_of(name)
    part = copied(pyz, tmp_path / "part.pyz", without=r"^sources\.zip$")

    done = run(*command, "-S", part, "profile", "show", "guest", env=environment)
    ran = run(*command, "-S", part, "explain", "--list", env=environment)

    assert done.returncode == ran.returncode == 0, done.stderr + ran.stderr
    assert "swiotlb at least 512 MiB" in done.stdout
    assert "image-outdated" in ran.stdout


def test_without_byte_code_the_sources_run(pyz: Path, tmp_path: Path) -> None:
    part = copied(pyz, tmp_path / "part.pyz", without="^byte-code/")

    done = run(sys.executable, "-I", "-S", part, "profile", "show", "guest", env=BARE)

    assert done.returncode == 0, done.stderr
    assert "swiotlb at least 512 MiB" in done.stdout


def test_the_byte_code_is_of_all_sources_and_of_the_python_that_built_it(pyz: Path) -> None:
    texts, found = sources(pyz), byte_code(pyz)
    paths = [PurePosixPath(name).with_suffix("").parts for name in texts]
    named = {".".join(path[:-1] if path[-1] == "__init__" else path) for path in paths}

    assert {frozenset(each) for each in found.values()} == {frozenset(named)}
    own = found[OWN]
    is_package, code = own["secboot.cli"]
    assert is_package
    assert code is not None
    assert code.co_filename == "secboot/cli/__init__.py"
    # Only the modules that Typer makes help of have docstrings.
    documented = {name for name, (_, code) in own.items() if code and "__doc__" in code.co_names}
    assert documented == {name for name in named if name.startswith("secboot.cli")}


def test_it_has_the_help_of_all_verbs(pyz: Path) -> None:
    """Byte code has docstrings only where Typer makes help of them."""
    program = "import sys; from secboot.cli import main; sys.exit(main(sys.argv[1:]))"
    for words in (["--help"], ["plan", "--help"], ["profile", "show", "--help"]):
        installed = run(sys.executable, "-c", program, *words, cwd=CHECKOUT)

        assert run(pyz, *words).stdout == installed.stdout


def test_it_is_executable(pyz: Path) -> None:
    done = run(pyz, "--version")

    assert done.stdout == f"secboot {secboot.__version__}\n"


@pytest.mark.parametrize("name", OLD_PYTHONS)
def test_an_old_python_hands_over_to_a_newer_one(name: str, pyz: Path, tmp_path: Path) -> None:
    python = interpreter(name)
    if python is None:
        not_here(f"{name} not found: neither the system's nor pyenv's")

    done = run(python, pyz, "profile", "show", "no such", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.startswith("secboot: error: ")
    assert run(python, pyz, "--version").stdout == f"secboot {secboot.__version__}\n"


def test_the_start_is_written_for_old_pythons() -> None:
    ast.parse(MAIN.read_text(), feature_version=(3, 4))


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    done = run(sys.executable, "-I", "-S", BUILDER, tmp_path / "never.pyz")

    assert done.returncode == 1
    assert "packaging is not installed here: run this with ./dev pyz" in done.stderr
    assert not list(tmp_path.iterdir())
