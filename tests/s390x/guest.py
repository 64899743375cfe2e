"""A small s390x Linux system on its own disk, booted once for every job it is given."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.s390x.emulator import DirectKernel, Disk, IplResult, Machine, machine
from tests.s390x.guest_disk import job_disk, make_filesystem
from tests.s390x.testbed import TestBed

CHECKOUT = Path(__file__).resolve().parents[2]

PRELUDE = """\
export PYTHONPATH=/opt PYTHONDONTWRITEBYTECODE=1 COLUMNS=200 NO_COLOR=1
secboot() { python3 -m secboot "$@"; }
run() { # NAME COMMAND...: its output and status, between markers
    run_name=$1
    shift
    echo "@@BEGIN $run_name"
    "$@"
    run_status=$?
    echo
    echo "@@END $run_name $run_status"
}
"""
"""What every job's shell has: `secboot`, and `run` to report a command to the test."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest with a disk of its own (``disk``) and, at /opt, the read-only disk ``program``."""

    bed: TestBed
    directory: Path
    program: Path

    @classmethod
    def create(
        cls, bed: TestBed, directory: Path, program: Path, disk: Path | None = None
    ) -> "Guest":
        """Copy a disk, the installed base system unless another one is given."""
        guest = cls(bed, directory, program)
        copy_disk(disk or bed.base_disk, guest.disk)
        return guest

    @property
    def disk(self) -> Path:
        """The image of the first disk, with the boot record and the root file system."""
        return self.directory / "disk.img"

    def machine(
        self,
        script: str,
        files: Mapping[str, bytes | str] | None = None,
        *,
        direct: str | None = None,
        loadparm: str = "",
        write_log: Path | None = None,
    ) -> Machine:
        """A machine that boots and runs ``script`` with its shell, ``files`` beside it.

        It IPLs from the disk's boot record; with ``direct`` (a command line) QEMU loads the kernel.
        """
        job = self.directory / "job.img"
        job_disk(job, PRELUDE + script, files)
        if write_log is not None:
            write_log.write_bytes(b"")
        kernel = None
        if direct is not None:
            kernel = DirectKernel(self.bed.kernel, self.bed.initramfs, direct)
        disks = [
            Disk(self.disk, write_log=write_log),
            Disk(self.program, read_only=True),
            Disk(job, read_only=True),
        ]
        return machine(disks, kernel, loadparm)

    def run(
        self,
        script: str,
        files: Mapping[str, bytes | str] | None = None,
        *,
        direct: str | None = None,
        loadparm: str = "",
        write_log: Path | None = None,
        limit: float = 120,
    ) -> IplResult:
        """Boot, run the script to its end, power off. See `machine`."""
        with self.machine(
            script, files, direct=direct, loadparm=loadparm, write_log=write_log
        ) as running:
            return running.result(limit)


def copy_disk(source: Path, target: Path) -> None:
    """Copy an image, holes as holes, by reference where the file system can."""
    command: list[str | Path] = ["cp", "--sparse=always", "--reflink=auto", source, target]
    subprocess.run(command, check=True)


def make_program_disk(image: Path, work: Path) -> None:
    """Make the disk that carries secboot with its dependencies, byte-compiled, for Python 3.11.

    The dependencies are those installed here, their Python files only: compiled extensions are
    for this machine, and all of them are optional.
    """
    tree = work / "program"
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(CHECKOUT / "secboot", tree / "secboot", ignore=ignored)
    if not (tree / "secboot/profiles").exists():
        shutil.copytree(CHECKOUT / "profiles", tree / "secboot/profiles")
    for file, relative in _dependency_files(_requirements()):
        (tree / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, tree / relative)
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    python = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if python is not None:
        subprocess.run([python, *compile_all, "-s", tree, "-p", "/opt", tree], check=True)
    make_filesystem(image, tree, 96 * 1024 * 1024)
    shutil.rmtree(tree)


def _requirements() -> list[str]:
    """The run-time requirements that pyproject.toml names."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    dependencies: list[str] = project["dependencies"]
    return dependencies


def _dependency_files(requirements: list[str]) -> list[tuple[Path, Path]]:
    """Every Python file of the required distributions, and where it goes, recursively."""
    found: dict[str, list[tuple[Path, Path]]] = {}
    wanted = [Requirement(text).name for text in requirements]
    while wanted:
        name = wanted.pop().lower()
        if name in found:
            continue
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            found[name] = []  # for another platform or Python version
            continue
        found[name] = [
            (Path(str(file.locate())), Path(str(file)))
            for file in distribution.files or ()
            if file.suffix in {".py", ".json", ".typed"} and ".." not in file.parts
        ]
        needed = [Requirement(text) for text in distribution.requires or ()]
        wanted += [
            item.name
            for item in needed
            if item.marker is None or item.marker.evaluate({"extra": ""})
        ]
    return [pair for pairs in found.values() for pair in pairs]
