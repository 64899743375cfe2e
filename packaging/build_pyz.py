#!/usr/bin/env python3
"""Build ``secboot.pyz``: secboot and all that it needs to run, as one executable file.

    packaging/build_pyz.py [--interpreter PROGRAM] [FILE]

FILE is dist/secboot.pyz by default, and the program that its first line names is env python3.

The dependencies are taken from the environment that runs this script; nothing is downloaded. The
same sources, versions and interpreter give the same bytes: members are sorted, have fixed modes,
and the time of SOURCE_DATE_EPOCH, or the earliest that a zip file can hold.

Each module is there twice, as source and as byte code of the building interpreter. A Python of
another minor version finds the byte code to be none of its own and takes the source.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import re
import sys
import time
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHECKOUT = Path(__file__).resolve().parent.parent
MAIN = CHECKOUT / "packaging" / "pyz_main.py"
NOT_NEEDED = frozenset({"rich", "colorama", "ruamel.yaml.clib"})
"""What is asked for and never used: help has no markup, and YAML is read by pure Python."""
INTERPRETER = "/usr/bin/env python3"
EARLIEST = 315532800
"""1980-01-01, the first moment that a zip file can name."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class BuildError(Exception):
    """The file can't be built here; the message is for the person who builds it."""


def distributions() -> dict[str, metadata.Distribution]:
    """Return what secboot needs at run time, by name, requirements of requirements included."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = list(project["dependencies"])
    found: dict[str, metadata.Distribution] = {}
    while wanted:
        name = _requirement_name(wanted.pop())
        if name in found or name in NOT_NEEDED:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise BuildError(f"{name} is not installed here: run this with ./dev pyz") from error
        wanted += [each for each in found[name].requires or () if "extra ==" not in each]
    return dict(sorted(found.items()))


def members() -> Iterator[tuple[str, bytes]]:
    """Yield every file of the archive but the byte code, by its name there."""
    yield "__main__.py", MAIN.read_bytes()
    yield "LICENSE", (CHECKOUT / "LICENSE").read_bytes()
    for folder, suffixes in (("secboot", {".py", ".json", ".md"}), ("profiles", {".yaml"})):
        for path in (CHECKOUT / folder).rglob("*"):
            if path.suffix in suffixes:
                inside = path.relative_to(CHECKOUT).as_posix()
                yield inside if folder == "secboot" else f"secboot/{inside}", path.read_bytes()
    for name, distribution in distributions().items():
        yield from _distribution_members(name, distribution)


def build(target: Path, interpreter: str) -> None:
    """Write the archive to `target`, which is replaced as a whole, for `interpreter` to run."""
    when = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH") or EARLIEST), EARLIEST))[:6]
    contents = dict(members())
    contents |= dict.fromkeys(_namespace_packages(contents), b"")
    for name in [each for each in contents if each.endswith(".py") and each != "__main__.py"]:
        contents[f"{name}c"] = byte_code(contents[name], name)
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.new")
    with work.open("wb") as file:
        file.write(f"#!{interpreter}\n".encode())
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in sorted(contents.items()):
                info = zipfile.ZipInfo(name, when)
                info.create_system = 3  # Unix, so that the mode below is one
                info.external_attr = 0o100644 << 16
                info.compress_type = compression(name)
                archive.writestr(info, content)
    work.chmod(0o755)
    work.replace(target)


def compression(name: str) -> int:
    """Return how a member is kept. Byte code is read at each start: unpacking it takes longer."""
    return zipfile.ZIP_STORED if name.endswith(".pyc") else zipfile.ZIP_DEFLATED


def byte_code(source: bytes, name: str) -> bytes:
    """Return a module's ``.pyc`` that holds for this source whatever the archive's times are.

    The flags say that it is hash-based and not to be checked (PEP 552): zipimport then compares
    nothing but the interpreter's magic number.
    """
    unchecked_hash = (0b01).to_bytes(4, "little")
    code = compile(source, name, "exec", dont_inherit=True)
    return (
        importlib.util.MAGIC_NUMBER
        + unchecked_hash
        + importlib.util.source_hash(source)
        + marshal.dumps(code)
    )


def _distribution_members(
    name: str, distribution: metadata.Distribution
) -> Iterator[tuple[str, bytes]]:
    for file in distribution.files or ():
        content = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or not content.is_file():
            continue
        if file.suffix == ".so":
            hint = "install with --constraint packaging/constraints.txt"
            raise BuildError(f"{name} has compiled code, which one file can't hold: {hint}")
        if any(part.endswith(".dist-info") for part in file.parts):
            # The licences want to be passed on with the code.
            if file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING")):
                yield f"licenses/{name}-{distribution.version}/{file.name}", content.read_bytes()
        elif file.suffix == ".py" or file.name == "LICENSE.txt":
            yield file.as_posix(), content.read_bytes()


def _namespace_packages(names: Iterable[str]) -> set[str]:
    """Return the ``__init__.py`` that packages lack; zipimport finds no package without one."""
    modules = [PurePosixPath(name) for name in names if name.endswith(".py")]
    packages = {parent for module in modules for parent in module.parents if parent.name}
    return {f"{package}/__init__.py" for package in packages}.difference(names)


def _requirement_name(requirement: str) -> str:
    match = _NAME.match(requirement)
    if match is None:
        raise BuildError(f"this requirement has no name: {requirement!r}")
    return match[0].lower().replace("_", "-")


def main(words: list[str]) -> int:
    """Build the file that the command line names."""
    interpreter = INTERPRETER
    if words[:1] == ["--interpreter"] and len(words) > 1:
        interpreter, words = words[1], words[2:]
    if len(words) > 1 or any(word.startswith("-") for word in words):
        sys.stderr.write((__doc__ or "").split("\n\n")[1] + "\n")
        return 2
    target = Path(words[0]) if words else CHECKOUT / "dist" / "secboot.pyz"
    try:
        build(target, interpreter)
    except BuildError as error:
        sys.stderr.write(f"build_pyz: {error}\n")
        return 1
    parts = ", ".join(f"{name} {each.version}" for name, each in distributions().items())
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes, with {parts}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
