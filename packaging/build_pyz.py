#!/usr/bin/env python3
"""Build ``secboot.pyz``: secboot and all that it needs to run, as one executable file.

    packaging/build_pyz.py [FILE]

FILE is dist/secboot.pyz by default. It begins with packaging/pyz_start.sh, which finds a Python that
runs it; packages install the same file as /usr/bin/secboot.

The dependencies are those in packaging/pyz.lock, in exactly these versions. They are taken
from the environment that runs this script, where `./dev` has installed them with the hashes in the
lock; nothing is downloaded. Anything that the lock does not name is refused, and so are compiled code,
files that differ from their wheel, and versions that a requirement does not allow. Markers are
evaluated for every supported Python, since one file is for all of them.

The same sources and Pythons give the same bytes: members are sorted, have fixed modes, and the
time of SOURCE_DATE_EPOCH, or the earliest that a zip file can hold.

Modules are included as sources and as byte code for each supported Python that is found: the one
that runs this script, and python3.11, python3.12 and so on in PATH. On any other Python secboot runs
from its sources, and takes several times as long to start. The last line of the output says which
were found.
"""

from __future__ import annotations

import base64
import hashlib
import io
import marshal
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
import zlib
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, NamedTuple

try:
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import canonicalize_name
except ImportError:
    sys.exit("build_pyz: packaging is not installed here: run this with ./dev pyz")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHECKOUT = Path(__file__).resolve().parent.parent
START = CHECKOUT / "packaging" / "pyz_start.sh"
MAIN = CHECKOUT / "packaging" / "pyz_main.py"
COMPILE = CHECKOUT / "packaging" / "pyz_compile.py"
LOCK = CHECKOUT / "packaging" / "pyz.lock"
INSTALL = "run this with ./dev pyz, or pip install --require-hashes --no-deps -r packaging/pyz.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
"""Supported versions; the newest stands for later ones."""
NOT_NEEDED = frozenset({"rich", "ruamel-yaml-clib"})
"""Required and never used: help has no markup, and YAML is read by pure Python."""
ALWAYS_IMPORTED = frozenset({"annotated_doc", "typer"})
"""Libraries that every command needs: not compressed, they save 1.2 ms of each start."""
SELDOM_IMPORTED = frozenset({"cli", "rich_utils", "testing", "_winconsole", "__main__"})
"""Modules of these that no command needs, but that can't be left out: completion uses Rich if it is there."""
BYTE_CODE = "byte-code/"
"""Where the archive has byte code; after it comes the magic number of a Python."""
EARLIEST = 315532800
"""1980-01-01, the first moment that a zip file can name."""
_PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?: --hash=sha256:[0-9a-f]{64})+")


class BuildError(Exception):
    """The file can't be built here; the message is for the person who builds it."""


def pins() -> dict[str, str]:
    """Return the version of each library allowed in the file, by its normalized name."""
    found: dict[str, str] = {}
    for line in LOCK.read_text().splitlines():
        if line and not line.startswith("#"):
            pin = _PIN.fullmatch(line)
            if pin is None:
                raise BuildError(f"{LOCK.name}: this is not NAME==VERSION --hash=...: {line}")
            found[canonicalize_name(pin["name"])] = pin["version"]
    return found


def project_requirements() -> list[str]:
    """Return what pyproject.toml says that secboot needs to run."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def needed(requires: Callable[[str], Iterable[str]]) -> dict[str, list[Requirement]]:
    """Return the libraries that the file needs, by name, each with all requirements on it.

    `requires` gives the requirements of a library. Left out are those of extras and those whose
    marker is true for no Python that the file is for.
    """
    wanted = [Requirement(each) for each in project_requirements()]
    found: dict[str, list[Requirement]] = {}
    while wanted:
        requirement = wanted.pop(0)
        name = canonicalize_name(requirement.name)
        if name in NOT_NEEDED or not _holds_somewhere(requirement):
            continue
        if name not in found:
            wanted += [Requirement(each) for each in requires(name)]
        found.setdefault(name, []).append(requirement)
    return dict(sorted(found.items()))


def distributions() -> dict[str, metadata.Distribution]:
    """Check the installed libraries that go into the file, and return them by name."""
    locked = pins()

    def requires(name: str) -> list[str]:
        return _installed(name, locked).requires or []

    found = {}
    for name, requirements in needed(requires).items():
        found[name] = _installed(name, locked)
        for each in requirements:
            if not each.specifier.contains(locked[name], prereleases=True):
                raise BuildError(f"{LOCK.name} has {name} {locked[name]}, but {each} is required")
        _require_pure(name, found[name])
    return found


def members() -> Iterator[tuple[str, bytes]]:
    """Yield every source and every other file that goes into the archive, by its name there."""
    yield "LICENSE", (CHECKOUT / "LICENSE").read_bytes()
    for folder, suffixes in (("secboot", {".py", ".json", ".md"}), ("profiles", {".yaml"})):
        for path in (CHECKOUT / folder).rglob("*"):
            if path.suffix in suffixes:
                inside = path.relative_to(CHECKOUT).as_posix()
                yield inside if folder == "secboot" else f"secboot/{inside}", path.read_bytes()
    for name, distribution in distributions().items():
        yield from _distribution_members(name, distribution)


def build(target: Path) -> list[str]:
    """Write the archive to `target`, which is replaced as a whole.

    Return the versions of Python for which it has byte code.
    """
    moment = max(int(os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST), EARLIEST)
    sources: dict[str, bytes] = {}
    contents = {"__main__.py": MAIN.read_bytes()}
    for name, content in members():
        (sources if name.endswith(".py") else contents)[name] = content
    sources |= dict.fromkeys(_namespace_packages(sources), b"")
    # Python reads the names of all members at every start, and hardly ever needs a source.
    inner = io.BytesIO()
    _write(inner, sources, moment, zipfile.ZIP_STORED)
    contents["sources.zip"] = inner.getvalue()
    pythons = found_pythons()
    for program, magic in pythons.values():
        contents[f"{BYTE_CODE}{magic}"] = byte_code(sources, program)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.new")
    with work.open("wb") as file:
        file.write(START.read_bytes())
        _write(file, contents, moment, zipfile.ZIP_DEFLATED)
    work.chmod(0o755)
    work.replace(target)
    return list(pythons)


def _write(file: IO[bytes], contents: dict[str, bytes], moment: int, compression: int) -> None:
    """Write an archive at the end of a file, with this time of all members."""
    with zipfile.ZipFile(file, "a", compresslevel=9) as archive:
        for name, content in sorted(contents.items()):
            info = zipfile.ZipInfo(name, time.gmtime(moment)[:6])
            info.create_system = 3  # Unix, so that the mode below is one
            info.external_attr = 0o100644 << 16
            # Each module's byte code is compressed by itself: a command needs less than half.
            stored = name.startswith(BYTE_CODE)
            info.compress_type = zipfile.ZIP_STORED if stored else compression
            archive.writestr(info, content)


def missing(compiled: list[str]) -> str:
    """Return the supported Pythons that were not found, or an empty string."""
    return ", ".join(f"python{each}" for each in PYTHONS if each not in compiled)


class Found(NamedTuple):
    """A Python that can compile for its version."""

    program: str
    magic: int
    """The number that its byte code begins with (PEP 552), by which packaging/pyz_main.py finds it."""


def found_pythons() -> dict[str, Found]:
    """Return a Python for each supported version that can be found, by version."""
    found = {}
    for version in PYTHONS:
        for program in _candidates(version):
            magic = _magic(program, version)
            if magic is not None:
                found[version] = Found(program, magic)
                break
    return found


def byte_code(sources: dict[str, bytes], program: str) -> bytes:
    """Return the member of the archive with the byte code of all sources for one Python.

    It is the code of each module, compressed without a header (RFC 1951) unless every command needs it;
    after these a dictionary in the form of the module marshal, which has for each module whether it is
    a package, where its code begins and ends, and whether it is compressed; and the size of that
    dictionary, in four bytes.
    """
    # Without columns in its tables, the code is a quarter smaller.
    command = [program, "-IS", "-X", "no_debug_ranges", str(COMPILE)]
    given = marshal.dumps(dict(sorted(sources.items())))
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True)
    packed, places = b"", {}
    for name, code in marshal.loads(done.stdout).items():  # noqa: S302 - from pyz_compile.py
        path = PurePosixPath(name).with_suffix("")
        is_package = path.name == "__init__"
        module = ".".join((path.parent if is_package else path).parts)
        start = len(packed)
        is_packed = path.parts[0] not in ALWAYS_IMPORTED or path.name in SELDOM_IMPORTED
        packed += zlib.compress(code, 9, -zlib.MAX_WBITS) if is_packed else code
        places[module] = (is_package, start, len(packed), is_packed)
    # This version of the form has no references, which would depend on how the data was made.
    index = marshal.dumps(places, 2)
    return packed + index + len(index).to_bytes(4, "little")


def _candidates(version: str) -> Iterator[str]:
    if version == "{}.{}".format(*sys.version_info):
        yield sys.executable
    for directory in os.get_exec_path():
        program = shutil.which(f"python{version}", path=directory)
        if program is not None:
            yield program


def _magic(program: str, version: str) -> int | None:
    """Return the magic number of a Python; None if it does not work or has another version."""
    ask = "import sys, importlib.util as u; print(*sys.version_info[:2], *u.MAGIC_NUMBER[:2])"
    try:
        done = subprocess.run(
            [program, "-IS", "-c", ask], capture_output=True, text=True, check=False
        )
        *numbers, low, high = map(int, done.stdout.split())
    except (OSError, ValueError):
        return None
    return low + 256 * high if ".".join(map(str, numbers)) == version else None


def _distribution_members(
    name: str, distribution: metadata.Distribution
) -> Iterator[tuple[str, bytes]]:
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or not path.is_file():
            continue
        content = path.read_bytes()
        if file.hash is not None and file.hash.value != _record_hash(content, file.hash.mode):
            raise BuildError(f"{path} differs from the wheel of {name}: install it again")
        if any(part.endswith(".dist-info") for part in file.parts):
            # The licences must be passed on with the code.
            if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
                yield f"licenses/{distribution.name}-{distribution.version}/{file.name}", content
        elif file.suffix == ".py" or file.name == "LICENSE.txt":
            yield file.as_posix(), content


def _namespace_packages(names: Iterable[str]) -> set[str]:
    """Return the ``__init__.py`` files that packages lack; zipimport requires them."""
    modules = [PurePosixPath(name) for name in names if name.endswith(".py")]
    packages = {parent for module in modules for parent in module.parents if parent.name}
    return {f"{package}/__init__.py" for package in packages}.difference(names)


def _installed(name: str, locked: dict[str, str]) -> metadata.Distribution:
    """Return an installed library, which must be the locked version."""
    if name not in locked:
        hint = "run packaging/lock if it should go into the file"
        raise BuildError(f"{name} is needed, but {LOCK.name} does not name it: {hint}")
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise BuildError(f"{name} is not installed here: {INSTALL}") from error
    if found.version != locked[name]:
        both = f"{found.version} is installed, {LOCK.name} names {locked[name]}"
        raise BuildError(f"of {name}, {both}: {INSTALL}")
    return found


def _require_pure(name: str, distribution: metadata.Distribution) -> None:
    """Refuse a library that has compiled code or is not for every Python that the file is for."""
    compiled = {".so", ".pyd", ".dylib"}
    if any(file.suffix in compiled for file in distribution.files or ()):
        raise BuildError(f"{name} has compiled code, which one file cannot hold")
    pythons = SpecifierSet(distribution.metadata.json.get("requires_python", ""))
    missing = [each for each in PYTHONS if not pythons.contains(each)]
    if missing:
        raise BuildError(f"{name} {distribution.version} is not for Python {', '.join(missing)}")


def _holds_somewhere(requirement: Requirement) -> bool:
    """Tell whether a requirement's marker is true on a Linux with a Python that the file is for."""
    if requirement.marker is None:
        return True
    linux = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux", "extra": ""}
    return any(
        requirement.marker.evaluate(
            {**linux, "python_version": each, "python_full_version": f"{each}.0"}
        )
        for each in PYTHONS
    )


def _record_hash(content: bytes, algorithm: str) -> str:
    """Return the digest of a file in the form of a wheel's RECORD."""
    digest = hashlib.new(algorithm, content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def main(words: list[str]) -> int:
    """Build the file that the command line names."""
    if len(words) > 1 or any(word.startswith("-") for word in words):
        sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n")
        return 2
    target = Path(words[0]) if words else CHECKOUT / "dist" / "secboot.pyz"
    try:
        compiled = build(target)
    except BuildError as error:
        sys.stderr.write(f"build_pyz: {error}\n")
        return 1
    parts = ", ".join(f"{each.name} {each.version}" for each in distributions().values())
    lacks = f"; not found: {missing(compiled)}" if missing(compiled) else ""
    sys.stdout.write(
        f"{target}: {target.stat().st_size} bytes, with {parts}\n"
        f"with byte code for Python {', '.join(compiled)}{lacks}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
