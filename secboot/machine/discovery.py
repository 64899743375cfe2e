"""Find what a machine boots: zipl.conf where zipl looks for it, BLS entries, parmfiles, images."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from secboot.errors import Location, RefusedError
from secboot.formats import ziplenv
from secboot.machine.boot_files import BootFile, BootFiles
from secboot.machine.boot_record import BootRecord, read_boot_record
from secboot.machine.file_errors import AccessError, FileError
from secboot.machine.layout import Layout, detect_layout
from secboot.machine.layout.bls import BLS_DIRECTORY
from secboot.machine.root import FileKind
from secboot.machine.zipl_program import installed_version
from secboot.progress import UNWATCHED, Step
from secboot.visible import visible
from secboot.zipl.configuration import BlsFile, BootConfiguration, ConfFile, interpret
from secboot.zipl.version import CURRENT, ZiplVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.machine.kernel_image import Seal
    from secboot.machine.root import Root
    from secboot.progress import Progress
    from secboot.zipl.entry import BootEntry

ZIPL_CONF_PATHS = (
    "/run/zipl/zipl.conf",
    "/etc/zipl.conf",
    "/usr/lib/s390-tools/zipl.conf",
    "/lib/s390-tools/zipl.conf",
)
"""Where zipl looks, the first readable one wins (zipl/src/job.c, get_job_from_config_file)."""

ZIPLENV = ziplenv.PATH
RUNNING_LINE = "/proc/cmdline"
HOST_KEYS = "/etc/se-hostkeys"
"""Where ostree looks for host-key documents (src/libostree/ostree-bootloader-zipl.c)."""

_TRY_DEMO = "to try secboot on this computer: secboot demo DIR, then add --root DIR"


class Machine(NamedTuple):
    """What was found under a root; the input of every plan and report.

    `files` are those that a plan is made from; `derived` are by path the files that other programs
    generate from them. `seals` are by path the IBM Secure Execution images among the kernels,
    `host_keys` the host-key documents that lie where they are looked for.
    `running_line` is the line of the running kernel, None for any other tree.
    """

    root: str
    layout: Layout
    zipl_version: ZiplVersion
    zipl_version_is_assumed: bool
    conf_path: str
    configuration: BootConfiguration
    files: tuple[BootFile, ...]
    parmfiles: Mapping[str, BootFile]
    seals: Mapping[str, Seal]
    boot_record: BootRecord
    derived: Mapping[str, BootFile] = MappingProxyType({})
    running_line: str | None = None
    host_keys: tuple[str, ...] = ()

    def is_sealed(self, entry: BootEntry) -> bool:
        """Tell whether the entry boots an IBM Secure Execution image, which ignores its line."""
        return entry.image is not None and entry.image.path in self.seals

    def file(self, path: str) -> BootFile | None:
        """Return a file that the plan is made from, by the path that it was read from."""
        return next((file for file in self.files if file.path == path), None)


def discover(
    root: Root,
    environment: Mapping[str, str] | None = None,
    layout_name: str | None = None,
    progress: Progress = UNWATCHED,
    step: Step = Step.READING,
) -> Machine:
    """Read the boot configuration of the machine in `root`.

    `environment` is the process environment when the root is the running system, and None for
    any other tree, which must not inherit the ``ZIPLCONF`` of this machine or its running line.
    `layout_name` is the layout that the user named. `step` is what `progress` is told that this
    reading is. Raises RefusedError when there is no zipl configuration, and FileError for files
    that can't be read.
    """
    progress.step(step)
    files = BootFiles(root)
    bls_names = _bls_names(root)
    layout = detect_layout(root, has_bls=bool(bls_names), named=layout_name)
    conf = _read_conf(root, files, layout, environment or {}, has_bls=bool(bls_names))
    bls = []
    for number, file in enumerate(files.read_directory(BLS_DIRECTORY, bls_names), start=1):
        bls.append(file)
        progress.step(step, number, len(bls_names))
    version = installed_version(root)
    progress.step(Step.INTERPRETING)
    configuration = interpret(
        conf, [BlsFile(file.path, file.text) for file in bls], files, version or CURRENT
    )
    parmfiles = _parmfiles(files, configuration)
    if root.exists(ZIPLENV):
        files.read(ZIPLENV)
    boot_record = read_boot_record(root, configuration, files, files.files)
    for path in layout.reads:
        if root.exists(path):
            files.read(path)
    return Machine(
        root=_shown(root),
        layout=layout,
        zipl_version=version or CURRENT,
        zipl_version_is_assumed=version is None,
        conf_path=conf.path,
        configuration=configuration,
        files=files.files,
        parmfiles=parmfiles,
        seals=_seals(files, configuration),
        boot_record=boot_record,
        derived=_derived(root, layout),
        running_line=None if environment is None else _running_line(root),
        host_keys=_host_keys(root),
    )


def find_layout(root: Root, named: str | None = None) -> Layout:
    """Return the layout of a tree, or the one that the user named, without reading boot files."""
    return detect_layout(root, has_bls=bool(_bls_names(root)), named=named)


def _read_conf(
    root: Root,
    files: BootFiles,
    layout: Layout,
    environment: Mapping[str, str],
    *,
    has_bls: bool,
) -> ConfFile:
    """Return the configuration that zipl gets; an empty one where a program is yet to write it."""
    path = layout.conf_path
    if path is None:
        path = _find_conf(root, layout, environment, has_bls=has_bls)
    if layout.generated and not root.exists(path):
        return ConfFile(path, "")
    conf = files.read(path)
    return ConfFile(conf.path, conf.text)


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
    if layout.generated:
        return ZIPL_CONF_PATHS[1]
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


def _seals(files: BootFiles, configuration: BootConfiguration) -> dict[str, Seal]:
    found = {}
    for path in {entry.image.path for entry in configuration.entries if entry.image is not None}:
        # kiwi names images relative to the root of the tree, and runs zipl there.
        facts = files.image(path if path.startswith("/") else f"/{path}")
        if facts is not None and facts.seal is not None:
            found[path] = facts.seal
    return found


def _derived(root: Root, layout: Layout) -> dict[str, BootFile]:
    """Return the generated files that may be read: SUSE's grub.cfg is for root only."""
    files = BootFiles(root)
    found = {}
    for path in layout.derived:
        try:
            if root.exists(path):
                found[path] = files.read(path)
        except AccessError:
            continue
    return found


def _running_line(root: Root) -> str | None:
    try:
        text = root.read_bytes(RUNNING_LINE).decode("utf-8", "surrogateescape")
    except FileError:
        return None
    return text.removesuffix("\n")


def _host_keys(root: Root) -> tuple[str, ...]:
    status = root.stat(HOST_KEYS)
    if status is None or status.kind is not FileKind.DIRECTORY:
        return ()
    try:
        names = root.list_directory(HOST_KEYS)
    except AccessError:
        return ()
    return tuple(f"{HOST_KEYS}/{name}" for name in names if name.startswith("ibm-z-hostkey"))
