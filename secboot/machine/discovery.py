"""Find what a machine boots: zipl.conf where zipl looks for it, BLS entries, parmfiles, images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from secboot.errors import Location, RefusedError
from secboot.formats.zipl_parameters import ZIPLENV, ZiplenvFile
from secboot.machine.boot_files import BootFile, BootFiles
from secboot.machine.installed_zipl import (
    USUAL_TARGET,
    BootmapFile,
    installed_version,
    read_bootmap_file,
)
from secboot.machine.kernel_files import NO_KERNEL_FILES, KernelFiles, find_kernel_files
from secboot.machine.old_kernels import OldKernel, old_kernels
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase, Progress
from secboot.system.file_errors import AccessError
from secboot.visible import visible
from secboot.zipl.configuration import BootConfiguration, ConfFile, interpret
from secboot.zipl.order import BlsFile
from secboot.zipl.version import CURRENT, BlsOrder, ZiplVersion

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine
    from secboot.system.root import Root
    from secboot.zipl.entry import BootEntry
    from secboot.zipl.file_facts import FileFacts

ZIPL_CONF_PATHS = (
    "/run/zipl/zipl.conf",
    "/etc/zipl.conf",
    "/usr/lib/s390-tools/zipl.conf",
    "/lib/s390-tools/zipl.conf",
)
"""Where zipl looks, the first readable one wins (zipl/src/job.c, get_job_from_config_file)."""

BLS_DIRECTORY = "/boot/loader/entries"
"""zipl's ZIPL_DEFAULT_BLSDIR (zipl/include/zipl.h)."""
RUNNING_LINE = "/proc/cmdline"
HOST_KEYS = "/etc/se-hostkeys"
"""Where ostree looks for host-key documents (src/libostree/ostree-bootloader-zipl.c)."""

D = TypeVar("D")
_TRY_DEMO = "to try secboot on this computer: secboot demo DIR, then add --root DIR"


Parser = Callable[[str, str], object]
"""Makes a document of a text; its path is for messages."""


@runtime_checkable
class ParameterFile(Protocol):
    """The document of a file that holds parameter lines, each under a name or as the only one."""

    def with_lines(self, lines: Mapping[str, CommandLine]) -> ParameterFile:
        """Return the file with other lines by name, the only one's is empty.

        Only the bytes that must change do. Raises RefusedError where the file can't hold a line.
        """
        ...

    def render(self) -> str:
        """Return the text of the file."""
        ...


class Unreadable(NamedTuple):
    """In the place of the document of a generated file that may not be read."""

    reason: str


class Sources(NamedTuple):
    """Which files a way to configure the boot has besides those that zipl looks for itself.

    `reads` are files that hold parameters, `derived` are generated from such, both by path with
    what makes a document of their text (None where the text is all); those that exist are read.
    `conf_path` is zipl's configuration where that is not the one that zipl looks for itself.
    `generated` says that zipl's files are written by another program and not to be edited;
    `otherwise` is the configuration that comes with such a system where it is in no file here.
    `order` is that in which this system's zipl sorts BLS entries. `kernels` are directories with
    kernels that something else than zipl starts.
    """

    reads: Mapping[str, Parser | None] = MappingProxyType({})
    derived: Mapping[str, Parser] = MappingProxyType({})
    conf_path: str | None = None
    generated: bool = False
    otherwise: ConfFile | None = None
    order: BlsOrder = BlsOrder.UPSTREAM
    kernels: tuple[str, ...] = ()


NO_OTHERS = Sources()
"""Those of a machine that only has zipl's own files."""


class Machine(NamedTuple):
    """What was found under a root; the input of every plan and report.

    `files` are those that a plan is made from. `documents` are by path what the texts of the
    layout's files and of /etc/ziplenv say; an unreadable file of those that other programs
    generate has none. `facts` are by path those of the kernels and ramdisks. `bootmap` is what
    zipl wrote last. `sealed` are the paths of the IBM Secure Execution images among the kernels,
    `host_keys` the host-key documents that lie where they are looked for. `kernel_files` says where
    the names of kernels and ramdisks lead, `old_kernels` which images may be too old for a
    parameter. `running_line` is the line of the running kernel, None for any other tree.
    `secure_guest` is whether that is in Secure Execution mode. `configured` is whether there is a
    zipl configuration at all; without one `conf_path` is where it would be.
    """

    root: str
    zipl_version: ZiplVersion
    zipl_version_is_assumed: bool
    conf_path: str
    configuration: BootConfiguration
    files: tuple[BootFile, ...]
    parmfiles: Mapping[str, BootFile]
    sealed: frozenset[str]
    facts: Mapping[str, FileFacts]
    bootmap: BootmapFile
    sources: Sources = NO_OTHERS
    documents: Mapping[str, object] = MappingProxyType({})
    running_line: str | None = None
    host_keys: tuple[str, ...] = ()
    kernel_files: KernelFiles = NO_KERNEL_FILES
    secure_guest: bool = False
    configured: bool = True
    old_kernels: Mapping[str, OldKernel] = MappingProxyType({})

    def is_sealed(self, entry: BootEntry) -> bool:
        """Tell whether the entry boots an IBM Secure Execution image, which ignores its line."""
        return entry.image is not None and entry.image.path in self.sealed

    def document(self, path: str, kind: type[D]) -> D | None:
        """Return what a file says, by its path; None where it is missing, or generated and secret."""
        found = self.documents.get(path)
        return found if isinstance(found, kind) else None

    def held(self, path: str, kind: type[D]) -> D:
        """Return a document that is there, since something was read from it."""
        found = self.document(path, kind)
        if found is None:
            raise LookupError(path)
        return found

    def parameter_file(self, path: str) -> ParameterFile:
        """Return the document of a file that is there, since a line was read from it."""
        found = self.documents[path]
        if not isinstance(found, ParameterFile):
            raise TypeError(path)
        return found

    def file(self, path: str) -> BootFile | None:
        """Return a file that the plan is made from, by the path that it was read from."""
        return next((file for file in self.files if file.path == path), None)


def discover(
    root: Root,
    sources: Sources = NO_OTHERS,
    environment: Mapping[str, str] | None = None,
    progress: Progress = UNWATCHED,
    phase: Phase = Phase.READING,
    *,
    unconfigured: bool = False,
) -> Machine:
    """Read the boot configuration of the machine in `root`.

    `environment` is the process environment when the root is the running system, and None for
    any other tree, which must not inherit the ``ZIPLCONF`` of this machine or its running line.
    `sources` are those of the machine's layout. `phase` is what `progress` is told that this
    reading is. Raises RefusedError when there is no zipl configuration, and FileError for files
    that can't be read. With `unconfigured` a machine is taken without one too that has something
    else to judge: a boot record, or a running system that is an IBM Z machine.
    """
    progress.report(phase)
    files = BootFiles(root)
    names = bls_names(root)
    try:
        conf = _read_conf(root, files, sources, environment or {}, has_bls=bool(names))
    except NoConfigurationError:
        if not (unconfigured and _can_be_judged(root, environment)):
            raise
        conf = None
    bls = []
    for number, file in enumerate(files.read_directory(BLS_DIRECTORY, names), start=1):
        bls.append(file)
        progress.report(phase, number, len(names))
    installed = installed_version(root)
    version = (installed or CURRENT)._replace(order=sources.order)
    progress.report(Phase.INTERPRETING)
    ziplenv = _ziplenv(root, files)
    configuration = interpret(
        conf or ConfFile(ZIPL_CONF_PATHS[1], ""),
        [BlsFile(file.path, file.text) for file in bls],
        files,
        version,
        ziplenv,
    )
    parmfiles = _parmfiles(files, configuration)
    facts = _facts(files, configuration)
    images = (each.image.path for each in configuration.entries if each.image is not None)
    documents = _documents(root, files, sources.reads)
    if ziplenv is not None:
        documents[ZIPLENV] = ziplenv
    return Machine(
        root=_shown(root),
        zipl_version=version,
        zipl_version_is_assumed=installed is None,
        conf_path=configuration.conf.path,
        configuration=configuration,
        files=files.files,
        parmfiles=parmfiles,
        sealed=_sealed(files, configuration),
        facts=facts,
        bootmap=read_bootmap_file(root, configuration),
        sources=sources,
        documents=documents | _generated(root, sources),
        running_line=None if environment is None else root.text_or_none(RUNNING_LINE),
        host_keys=_host_keys(root),
        kernel_files=find_kernel_files(root, configuration, sources.kernels),
        secure_guest=environment is not None and _is_secure_guest(root),
        configured=conf is not None,
        old_kernels=old_kernels(root, images, facts),
    )


class NoConfigurationError(RefusedError):
    """There is nothing that zipl would read."""


def _can_be_judged(root: Root, environment: Mapping[str, str] | None) -> bool:
    """Whether a machine without zipl configuration has a boot record, or runs on IBM Z."""
    if root.stat(f"{USUAL_TARGET}/bootmap") is not None:
        return True
    return environment is not None and "IBM/S390" in (root.text_or_none("/proc/cpuinfo") or "")


def _read_conf(
    root: Root,
    files: BootFiles,
    sources: Sources,
    environment: Mapping[str, str],
    *,
    has_bls: bool,
) -> ConfFile:
    """Return the configuration that zipl gets; an empty one where a program is yet to write it."""
    path = sources.conf_path
    if path is None:
        path = _find_conf(root, sources, environment, has_bls=has_bls)
    if sources.generated and not root.exists(path):
        return sources.otherwise or ConfFile(path, "")
    conf = files.read(path)
    return ConfFile(conf.path, conf.text)


def _find_conf(
    root: Root, sources: Sources, environment: Mapping[str, str], *, has_bls: bool
) -> str:
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
    if sources.generated:
        return ZIPL_CONF_PATHS[1]
    raise _no_configuration(root, has_bls=has_bls)


def _no_configuration(root: Root, *, has_bls: bool) -> NoConfigurationError:
    shown = _shown(root)
    if has_bls:
        return NoConfigurationError(
            f"{shown} has BLS entries but no zipl configuration: another boot loader's machine",
            hint="secboot only manages machines that boot with zipl (s390x)\n" + _TRY_DEMO,
        )
    if root.stat("/boot") is None and root.stat("/etc") is None:
        return NoConfigurationError(
            f"{shown} is not the root of a Linux system: it has neither /etc nor /boot",
            hint="name the directory that holds the machine's files: --root DIR",
        )
    return NoConfigurationError(
        f"there is no zipl configuration in {shown}",
        hint="zipl would look for " + ", ".join(ZIPL_CONF_PATHS[:3]) + "\n" + _TRY_DEMO,
    )


def _shown(root: Root) -> str:
    return root.shown("/").rstrip("/") or "/"


def bls_names(root: Root) -> tuple[str, ...]:
    """Return the names that zipl takes for entries: all that end in .conf, hidden ones too.

    A directory that can't be read is an error; one that is missing is none (scan.c, scan_bls).
    """
    status = root.stat(BLS_DIRECTORY)
    if status is None or not status.is_directory:
        return ()
    return tuple(name for name in root.list_directory(BLS_DIRECTORY) if name.endswith(".conf"))


def _ziplenv(root: Root, files: BootFiles) -> ZiplenvFile | None:
    """Return /etc/ziplenv; zipl passes over anything but a file."""
    status = root.stat(ZIPLENV)
    if status is None or not status.is_regular:
        return None
    return ZiplenvFile.parse(files.read(ZIPLENV).text, ZIPLENV)


def _parmfiles(files: BootFiles, configuration: BootConfiguration) -> dict[str, BootFile]:
    found = {}
    for entry in configuration.entries:
        if entry.parmfile is not None and files.look(entry.parmfile.path).readable:
            found[entry.parmfile.path] = files.read(entry.parmfile.path)
    return found


def _sealed(files: BootFiles, configuration: BootConfiguration) -> frozenset[str]:
    paths = {entry.image.path for entry in configuration.entries if entry.image is not None}
    # kiwi names images relative to the root of the tree, and runs zipl there.
    facts = {path: files.image(path if path.startswith("/") else f"/{path}") for path in paths}
    return frozenset(path for path, found in facts.items() if found is not None and found.sealed)


def _facts(files: BootFiles, configuration: BootConfiguration) -> dict[str, FileFacts]:
    """Sizes and times of what zipl installs; zipl's reading has looked at all of it already."""
    return {
        part.path: files.look(part.path)
        for entry in configuration.entries
        for part in (entry.image, entry.ramdisk)
        if part is not None
    }


def _documents(
    root: Root, files: BootFiles, parsers: Mapping[str, Parser | None]
) -> dict[str, object]:
    """Read the files that are there, and make a document of each that is more than a text."""
    found = {}
    for path, parse in parsers.items():
        if root.exists(path):
            file = files.read(path)
            if parse is not None:
                found[path] = parse(file.text, path)
    return found


def _generated(root: Root, sources: Sources) -> dict[str, object]:
    """Return those that may be read: SUSE's grub.cfg is for root only."""
    found: dict[str, object] = {}
    for path, parse in sources.derived.items():
        try:
            found |= _documents(root, BootFiles(root), {path: parse})
        except AccessError as error:
            found[path] = Unreadable(error.message)
    return found


def _is_secure_guest(root: Root) -> bool:
    from secboot.running.firmware import is_secure_guest  # noqa: PLC0415 - a tree needs no such room

    return is_secure_guest(root)


def _host_keys(root: Root) -> tuple[str, ...]:
    names = root.names_or_none(HOST_KEYS) or ()
    return tuple(f"{HOST_KEYS}/{name}" for name in names if name.startswith("ibm-z-hostkey"))
