"""The sample configurations in tests/data as whole machines: the files that zipl would find."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from tests.s390x.real_zipl import kernel_stub

SAMPLES = Path(__file__).resolve().parents[1] / "data/samples"
ENTRIES = "boot/loader/entries"
AUTOMATIC = b"[defaultboot]\ndefaultauto\ntarget=/boot\n"

_HEADING = re.compile(rb"^[ \t]*[\[:]", re.MULTILINE)
_TITLE = re.compile(rb"^title[ \t]", re.MULTILINE)
_NAMED_FILE = re.compile(
    rb"^[ \t]*(image|ramdisk|parmfile|linux|initrd)(?:[ \t]*=[ \t]*|[ \t]+)[\"']?(/[^\s\"',]+)",
    re.MULTILINE,
)
_TARGET = re.compile(rb"^[ \t]*target[ \t]*=[ \t]*[\"']?/([^\s\"']+)", re.MULTILINE)

Machine = dict[str, bytes]
"""Files by path relative to the root."""


def sample_machines() -> Iterator[tuple[str, Machine]]:
    """Every sample by name: each zipl.conf, each BLS entry alone, each directory of entries.

    Each sample is included twice: with all files that it names ("whole"), and without ("bare").
    """
    for name, machine in _configurations():
        yield f"{name}-whole", {**machine, **named_files(machine)}
        yield f"{name}-bare", {"boot/.keep": b"", **machine}


def named_files(machine: Machine) -> Machine:
    """Stand-ins for the kernels, ramdisks and directories that a configuration names."""
    files: Machine = {"boot/.keep": b""}
    for text in machine.values():
        for keyword, path in _NAMED_FILE.findall(text):
            is_kernel = keyword in {b"image", b"linux"}
            files[_relative(path)] = kernel_stub() if is_kernel else b"ro from=parmfile\n"
            if not path.startswith(b"/boot/"):
                # An entry's path may be relative to the boot file system (zipl: bls_path).
                files["boot" + path.decode()] = files[_relative(path)]
        for directory in _TARGET.findall(text):
            files[f"{directory.decode()}/.keep"] = b""
    directories = {parent.as_posix() for path in files for parent in PurePath(path).parents}
    return {
        path: content
        for path, content in files.items()
        if path not in directories and not path.startswith("dev/")
    }


def _relative(path: bytes) -> str:
    return path.decode().lstrip("/")


def _configurations() -> Iterator[tuple[str, Machine]]:
    for file in sorted(SAMPLES.glob("grammar-probes/*.conf")):
        yield file.stem, {"etc/zipl.conf": file.read_bytes()}
    for directory in sorted(SAMPLES.glob("grammar-probes/bls/*")):
        machine = _with_entries(directory / "entries", (directory / "zipl.conf").read_bytes())
        yield f"bls-{directory.name}", machine
    for directory in sorted(SAMPLES.iterdir()):
        if directory.is_dir() and directory.name != "grammar-probes":
            yield from _of_distribution(directory)


def _of_distribution(directory: Path) -> Iterator[tuple[str, Machine]]:
    entries: Machine = {}
    for file in sorted(path for path in directory.iterdir() if path.is_file()):
        content = file.read_bytes()
        name = f"{directory.name}-{file.name}"
        if _HEADING.search(content):
            yield name, {"etc/zipl.conf": content}
        elif _TITLE.search(content):
            entry = {f"{ENTRIES}/{file.stem}.conf": content}
            entries |= entry
            yield name, {"etc/zipl.conf": AUTOMATIC, **entry}
    if len(entries) > 1:
        yield f"{directory.name}-entries", {"etc/zipl.conf": AUTOMATIC, **entries}


def _with_entries(directory: Path, conf: bytes) -> Machine:
    files = {f"{ENTRIES}/{file.name}": file.read_bytes() for file in sorted(directory.glob("*"))}
    # zipl only reads the directory if it exists; an empty one is a separate case.
    return {"etc/zipl.conf": conf, f"{ENTRIES}/.keep": b"", **files}
