"""Find what a machine boots: zipl.conf where zipl looks for it, BLS entries, parmfiles, images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.machine.boot_files import BootFile, BootFiles
from secboot.machine.boot_record import BootRecord, read_boot_record
from secboot.machine.layout import Layout, detect_layout
from secboot.machine.root import FileKind
from secboot.machine.zipl_program import installed_version
from secboot.visible import visible
from secboot.zipl.configuration import BlsFile, BootConfiguration, ConfFile, interpret
from secboot.zipl.version import CURRENT, ZiplVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.machine.root import Root
    from secboot.zipl.entry import BootEntry

ZIPL_CONF_PATHS = (
    "/run/zipl/zipl.conf",
    "/etc/zipl.conf",
    "/usr/lib/s390-tools/zipl.conf",
    "/lib/s390-tools/zipl.conf",
)
"""Where zipl looks, the first readable one wins (zipl/src/job.c, get_job_from_config_file)."""
BLS_DIRECTORY = "/boot/loader/entries"
"""zipl's ZIPL_DEFAULT_BLSDIR (zipl/include/zipl.h)."""

_TRY_DEMO = "to try secboot on this computer: secboot demo DIR, then add --root DIR"


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found under a root; the input of every plan and report."""

    root: str
    layout: Layout
    zipl_version: ZiplVersion
    zipl_version_is_assumed: bool
    conf_path: str
    configuration: BootConfiguration
    files: tuple[BootFile, ...]
    parmfiles: Mapping[str, BootFile]
    sealed_images: frozenset[str]
    boot_record: BootRecord

    def is_sealed(self, entry: BootEntry) -> bool:
        """Tell whether the entry boots an IBM Secure Execution image, which ignores its line."""
        return entry.image is not None and entry.image.path in self.sealed_images


def discover(root: Root, environment: Mapping[str, str] | None = None) -> Machine:
    """Read the boot configuration of the machine in `root`.

    `environment` is the process environment when the root is the running system, and None for
    any other tree, which must not inherit the ``ZIPLCONF`` of this machine. Raises RefusedError
    when there is no zipl configuration, and FileError for files that can't be read.
    """
    files = BootFiles(root)
    bls_names = _bls_names(root)
    layout = detect_layout(root, has_bls=bool(bls_names))
    conf = files.read(_find_conf(root, layout, environment or {}, has_bls=bool(bls_names)))
    bls = [files.read(f"{BLS_DIRECTORY}/{name}") for name in bls_names]
    version = installed_version(root)
    configuration = interpret(
        ConfFile(conf.path, conf.text),
        [BlsFile(file.path, file.text) for file in bls],
        files,
        version or CURRENT,
    )
    return Machine(
        root=_shown(root),
        layout=layout,
        zipl_version=version or CURRENT,
        zipl_version_is_assumed=version is None,
        conf_path=conf.path,
        configuration=configuration,
        files=files.files,
        parmfiles=_parmfiles(files, configuration),
        sealed_images=_sealed_images(files, configuration),
        boot_record=read_boot_record(root, configuration, files, files.files),
    )


def _find_conf(root: Root, layout: Layout, environment: Mapping[str, str], *, has_bls: bool) -> str:
    named = environment.get("ZIPLCONF")
    if named is not None:
        if not root.is_readable(named):
            raise RefusedError(
                "the file that ZIPLCONF names can't be read",
                location=Location(visible(named)),
                hint="correct the environment variable ZIPLCONF, or unset it",
            )
        return named
    found = next((path for path in ZIPL_CONF_PATHS if root.is_readable(path)), None)
    if found is not None:
        return found
    unreadable = next((path for path in ZIPL_CONF_PATHS if root.exists(path)), None)
    if unreadable is not None:
        root.read_bytes(unreadable)  # raises the error that says why
    layout.require_editable()
    raise _no_configuration(root, has_bls=has_bls)


def _no_configuration(root: Root, *, has_bls: bool) -> RefusedError:
    shown = _shown(root)
    if has_bls:
        return RefusedError(
            f"{shown} has BLS entries but no zipl configuration: another boot loader's machine",
            hint="secboot only manages machines that boot with zipl (s390x)\n" + _TRY_DEMO,
        )
    if root.stat("/boot") is None and root.stat("/etc") is None:
        return RefusedError(
            f"{shown} is not the root of a Linux system: it has neither /etc nor /boot",
            hint="name the directory that holds the machine's files: --root DIR",
        )
    return RefusedError(
        f"there is no zipl configuration in {shown}",
        hint="zipl would look for " + ", ".join(ZIPL_CONF_PATHS[:3]) + "\n" + _TRY_DEMO,
    )


def _shown(root: Root) -> str:
    return root.shown("/").rstrip("/") or "/"


def _bls_names(root: Root) -> tuple[str, ...]:
    """Return the names that zipl takes for entries: all that end in .conf, hidden ones too.

    A directory that can't be read is an error; one that is missing is none (scan.c, scan_bls).
    """
    status = root.stat(BLS_DIRECTORY)
    if status is None or status.kind is not FileKind.DIRECTORY:
        return ()
    return tuple(name for name in root.list_directory(BLS_DIRECTORY) if name.endswith(".conf"))


def _parmfiles(files: BootFiles, configuration: BootConfiguration) -> dict[str, BootFile]:
    found = {}
    for entry in configuration.entries:
        if entry.parmfile is not None and files.look(entry.parmfile.path).readable:
            found[entry.parmfile.path] = files.read(entry.parmfile.path)
    return found


def _sealed_images(files: BootFiles, configuration: BootConfiguration) -> frozenset[str]:
    images = {entry.image.path for entry in configuration.entries if entry.image is not None}
    facts = {path: files.image(path) for path in images if files.look(path).readable}
    return frozenset(path for path, fact in facts.items() if fact is not None and fact.sealed)
