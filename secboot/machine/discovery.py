"""Finds what a machine boots: zipl.conf where zipl looks for it, BLS entries, parmfiles, images."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from secboot.errors import Location
from secboot.formats.zipl_parameters import ZIPLENV, ZiplenvFile
from secboot.machine.boot_files import BootFile, BootFiles
from secboot.machine.image_material import NO_IMAGE_MATERIAL, ImageMaterial
from secboot.machine.installed_zipl import (
    BootmapFile,
    installed_version,
    read_bootmap_file,
)
from secboot.machine.kernel_files import (
    NO_KERNEL_FILES,
    KernelFiles,
    Kernels,
    examine_kernels,
    image_paths,
)
from secboot.machine.old_kernels import OldKernel, old_kernels
from secboot.machine.sources import NO_OTHERS, ParameterFile, Parser, Sources, Unreadable
from secboot.machine.zipl_conf_file import (
    ZIPL_CONF_PATHS,
    NoConfigurationError,
    can_be_judged,
    read_conf,
    shown_base,
)
from secboot.named_tuple import NamedTuple
from secboot.progress import UNWATCHED, Phase, Progress
from secboot.system.file_errors import AccessError
from secboot.zipl.configuration import BootConfiguration, ConfFile, interpret
from secboot.zipl.order import BlsFile
from secboot.zipl.scan import EntryKind
from secboot.zipl.version import CURRENT, ZiplVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from secboot.formats.kernel_image import KernelImage, SecureImage
    from secboot.machine.bare_tree import BareTree
    from secboot.machine.prepared_image import PreparedImage
    from secboot.system.root import Root
    from secboot.zipl.entry import BootEntry
    from secboot.zipl.file_facts import FileFacts

BLS_DIRECTORY = "/boot/loader/entries"
"""zipl's ZIPL_DEFAULT_BLSDIR (zipl/include/zipl.h)."""
RUNNING_LINE = "/proc/cmdline"

D = TypeVar("D")


class Machine(NamedTuple):
    """What was found under a root; the input of every plan and report.

    `files` are those that a plan is made from. `documents` maps paths to the parsed files of the
    layout and /etc/ziplenv; for an unreadable generated file it has an `Unreadable`. `facts` maps
    paths of kernels and ramdisks to their facts. `bootmap` is what zipl wrote last. `images` maps
    paths of readable kernels to what is in their headers; `image_material` is what was found for
    building a Secure Execution image. `kernel_files` says where the names of kernels and ramdisks
    point, `old_kernels` which images may be too old for a parameter. `running_line` is the command
    line of the running kernel, None for any other tree. `secure_guest` is whether the running system
    is in Secure Execution mode. `configured` is whether a zipl configuration exists; without one,
    `conf_path` is where it would be. `named_files` are files that the layout's files name, and
    whether they exist, None if unknown. `prepared` is the Secure Execution image that the profile
    names. `bare` is what is known about a tree without boot entries, if the layout supports one.
    """

    root: str
    zipl_version: ZiplVersion
    zipl_version_is_assumed: bool
    conf_path: str
    configuration: BootConfiguration
    files: tuple[BootFile, ...]
    parmfiles: Mapping[str, BootFile]
    images: Mapping[str, KernelImage]
    facts: Mapping[str, FileFacts]
    bootmap: BootmapFile
    sources: Sources = NO_OTHERS
    documents: Mapping[str, object] = MappingProxyType({})
    running_line: str | None = None
    image_material: ImageMaterial = NO_IMAGE_MATERIAL
    kernel_files: KernelFiles = NO_KERNEL_FILES
    secure_guest: bool = False
    configured: bool = True
    prepared: PreparedImage | None = None
    bare: BareTree | None = None
    old_kernels: Mapping[str, OldKernel] = MappingProxyType({})
    named_files: Mapping[str, bool | None] = MappingProxyType({})

    def secure_image(self, entry: BootEntry) -> SecureImage | None:
        """Return the Secure Execution image that the entry boots, which ignores the entry's line."""
        image = None if entry.image is None else self.images.get(entry.image.path)
        return None if image is None else image.secure

    def is_secure(self, entry: BootEntry) -> bool | None:
        """Whether the entry starts in Secure Execution; None if its kernel can't be read.

        It is also None for an entry that does not start Linux, such as a dump tool.
        """
        if entry.kind is not EntryKind.IPL or entry.image is None:
            return None
        image = self.images.get(entry.image.path)
        return None if image is None else image.secure is not None

    @property
    def awaits_kernel(self) -> bool:
        """Whether this is an image without a kernel yet: it has neither boot entries nor a kernel."""
        return self.bare is not None and self.bare.awaits_kernel

    @property
    def lacks_conf(self) -> bool:
        """Whether boot entries exist, but not the zipl configuration that zipl also needs."""
        exists = self.sources.generated or self.file(self.conf_path) is not None
        return self.configured and not exists

    @property
    def only_prepared(self) -> tuple[str, ...]:
        """The paths of the parmfile of the profile's image, unless zipl reads it as well."""
        if self.prepared is None:
            return ()
        real_path = self.prepared.real_path
        if any(file.real_path == real_path for file in self.parmfiles.values()):
            return ()
        return self.prepared.paths.parmfile, real_path

    def is_prepared(self, entry: BootEntry) -> bool:
        """Whether the entry boots the Secure Execution image that the profile names."""
        if self.prepared is None or entry.image is None:
            return False
        path = self.kernel_files.target(entry.image.path)
        return path in {self.prepared.paths.output, self.prepared.real_output}

    def document(self, path: str, kind: type[D]) -> D | None:
        """Return the document of a file; None if it is missing, or generated and unreadable."""
        found = self.documents.get(path)
        return found if isinstance(found, kind) else None

    def held(self, path: str, kind: type[D]) -> D:
        """Return the document of a file that must exist, since something was read from it."""
        found = self.document(path, kind)
        if found is None:
            raise LookupError(path)
        return found

    def parameter_file(self, path: str) -> ParameterFile:
        """Return the document of a file that must exist, since a line was read from it."""
        found = self.documents[path]
        if not isinstance(found, ParameterFile):
            raise TypeError(path)
        return found

    def file(self, path: str) -> BootFile | None:
        """Return a file that the plan is made from, by the path under which it was read."""
        return next((file for file in self.files if file.path == path), None)


def discover(
    root: Root,
    sources: Sources = NO_OTHERS,
    environment: Mapping[str, str] | None = None,
    progress: Progress = UNWATCHED,
    phase: Phase = Phase.READING,
    *,
    unconfigured: bool = False,
    changed: Mapping[str, bytes] | None = None,
) -> Machine:
    """Read the boot configuration of the machine in `root`.

    `environment` is the process environment if the root is the running system, and None for any
    other tree, which must not inherit this machine's ``ZIPLCONF`` or its command line. `sources`
    are those of the machine's layout. `phase` is reported to `progress`. Raises RefusedError if
    there is no zipl configuration, and FileError for files that can't be read. `unconfigured` also
    accepts a machine without a configuration that has something else to check: a boot record, or a
    running system on IBM Z. A tree whose profile names an image, or that has no kernel yet, is
    always accepted. With `changed` contents of files (`BootFiles`), the result is the machine after
    this change.
    """
    progress.report(phase)
    files = BootFiles(root, changed)
    names = bls_names(root)
    conf = _conf_or_none(root, files, sources, environment, names, unconfigured=unconfigured)
    bls = []
    for number, file in enumerate(_bls_files(files, names), start=1):
        bls.append(file)
        progress.report(phase, number, len(names))
    progress.report(Phase.INTERPRETING)
    installed = installed_version(root)
    version = (installed or CURRENT)._replace(order=sources.order)
    ziplenv = _ziplenv(root, files)
    configuration = interpret(
        conf or ConfFile(ZIPL_CONF_PATHS[1], ""), bls, files, version, ziplenv
    )
    parmfiles = _parmfiles(files, configuration)
    prepared = _prepared_image(root, files, sources, parmfiles)
    documents = _documents(root, files, sources.reads) | _generated(root, sources)
    bare = _bare_tree_or_none(root, sources, configuration)
    if bare is not None:
        documents |= _documents(root, files, bare.reads)
    if ziplenv is not None:
        documents[ZIPLENV] = ziplenv
    kernels = examine_kernels(
        root,
        files,
        configuration,
        sources.kernels,
        sources.images(documents),
        builds_image=prepared is not None,
    )
    is_running = environment is not None
    return Machine(
        root=shown_base(root),
        zipl_version=version,
        zipl_version_is_assumed=installed is None,
        conf_path=configuration.conf.path,
        configuration=configuration,
        files=files.files,
        parmfiles=parmfiles,
        images=kernels.images,
        facts=kernels.facts,
        bootmap=read_bootmap_file(root, configuration),
        sources=sources,
        documents=documents,
        running_line=root.text_or_none(RUNNING_LINE) if is_running else None,
        image_material=_image_material(root, kernels, prepared, sources, running=is_running),
        kernel_files=kernels.files,
        secure_guest=is_running and _is_secure_guest(root),
        configured=conf is not None,
        prepared=prepared,
        bare=bare,
        old_kernels=old_kernels(root, image_paths(configuration), kernels.facts),
        named_files={
            path: root.exists_or_none(path) if path.startswith("/") else None
            for path in sources.named(documents)
        },
    )


def configuration_after(
    root: Root,
    sources: Sources,
    environment: Mapping[str, str] | None,
    changed: Mapping[str, bytes | None],
) -> BootConfiguration:
    """Return what zipl would make of the boot files if some were `changed` (`BootFiles`).

    Raises what `discover` does.
    """
    files = BootFiles(root, changed)
    there = {f"{BLS_DIRECTORY}/{name}" for name in bls_names(root)}
    paths = {path for path in there | changed.keys() if changed.get(path, b"") is not None}
    names = sorted(path.rpartition("/")[2] for path in filter(is_bls_entry, paths))
    conf = read_conf(root, files, sources, environment or {}, has_bls=bool(names))
    if changed.get(conf.path, b"") is None:
        raise NoConfigurationError("zipl.conf would no longer exist", location=Location(conf.path))
    version = (installed_version(root) or CURRENT)._replace(order=sources.order)
    found = (files.read(f"{BLS_DIRECTORY}/{name}") for name in names)
    bls = [BlsFile(file.path, file.text) for file in found]
    return interpret(conf, bls, files, version, _ziplenv(root, files))


def is_bls_entry(path: str) -> bool:
    """Whether zipl reads a file with this path as a boot entry."""
    directory, _, name = path.rpartition("/")
    return directory == BLS_DIRECTORY and name.endswith(".conf")


def bls_names(root: Root) -> tuple[str, ...]:
    """Return the names that zipl reads as entries: all that end in .conf, even hidden ones.

    A directory that can't be read is an error; a missing one is not (scan.c, scan_bls).
    """
    status = root.stat(BLS_DIRECTORY)
    if status is None or not status.is_directory:
        return ()
    return tuple(name for name in root.list_directory(BLS_DIRECTORY) if name.endswith(".conf"))


def _conf_or_none(
    root: Root,
    files: BootFiles,
    sources: Sources,
    environment: Mapping[str, str] | None,
    names: tuple[str, ...],
    *,
    unconfigured: bool,
) -> ConfFile | None:
    """Return zipl's configuration; None if it is missing and `discover` accepts that."""
    try:
        return read_conf(root, files, sources, environment or {}, has_bls=bool(names))
    except NoConfigurationError:
        judged = unconfigured and can_be_judged(root, environment)
        awaits = sources.later_kernels and not names and _bare_tree(root, sources).awaits_kernel
        if not (judged or awaits or sources.image or sources.first):
            raise
        return None


def _bls_files(files: BootFiles, names: tuple[str, ...]) -> Iterator[BlsFile]:
    """Yield the BLS entries, with what zipl says about one that is not a file."""
    for file in files.read_directory(BLS_DIRECTORY, names):
        if isinstance(file, BootFile):
            yield BlsFile(file.path, file.text)
        else:
            yield BlsFile(file.path, "", file.reason)


def _bare_tree_or_none(
    root: Root, sources: Sources, configuration: BootConfiguration
) -> BareTree | None:
    """Return what is known about a tree without boot entries, or before its first configuration."""
    if sources.first or (sources.later_kernels and not configuration.entries):
        return _bare_tree(root, sources, image_paths(configuration))
    return None


def _bare_tree(root: Root, sources: Sources, images: tuple[str, ...] = ()) -> BareTree:
    from secboot.machine.bare_tree import find_bare_tree  # noqa: PLC0415 - few trees have no boot entry

    return find_bare_tree(root, sources, BLS_DIRECTORY, images)


def _ziplenv(root: Root, files: BootFiles) -> ZiplenvFile | None:
    """Return /etc/ziplenv; zipl ignores anything but a regular file."""
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


def _prepared_image(
    root: Root, files: BootFiles, sources: Sources, parmfiles: Mapping[str, BootFile]
) -> PreparedImage | None:
    if sources.image is None:
        return None
    from secboot.machine.prepared_image import find_prepared_image  # noqa: PLC0415 - for few profiles

    others = {*ZIPL_CONF_PATHS, BLS_DIRECTORY, ZIPLENV, *sources.reads, *sources.derived}
    return find_prepared_image(root, files, sources.image, parmfiles, others)


def _documents(
    root: Root, files: BootFiles, parsers: Mapping[str, Parser | None]
) -> dict[str, object]:
    """Read the files that exist, and parse those that have a parser."""
    found = {}
    for path, parse in parsers.items():
        if root.exists(path):
            file = files.read(path)
            if parse is not None:
                found[path] = parse(file.text, path)
    return found


def _generated(root: Root, sources: Sources) -> dict[str, object]:
    """Return the documents, `Unreadable` for a file without permission: SUSE's grub.cfg is root's."""
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


def _image_material(
    root: Root,
    kernels: Kernels,
    prepared: PreparedImage | None,
    sources: Sources,
    *,
    running: bool,
) -> ImageMaterial:
    """Search for it if such an image exists, or if another program may build one (ostree)."""
    paths = {kernels.files.target(path) for path, image in kernels.images.items() if image.secure}
    paths |= set() if prepared is None else {prepared.real_output}
    if not paths and not sources.generated:
        return NO_IMAGE_MATERIAL
    from secboot.machine.material_search import find_image_material  # noqa: PLC0415 - of few machines

    return find_image_material(root, sorted(paths), BLS_DIRECTORY, running=running)
