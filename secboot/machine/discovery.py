"""Find what a machine boots: zipl.conf where zipl looks for it, BLS entries, parmfiles, images."""

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
from secboot.machine.kernel_files import NO_KERNEL_FILES, KernelFiles, find_kernel_files
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
    from collections.abc import Mapping

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

    `files` are those that a plan is made from. `documents` are by path what the texts of the
    layout's files and of /etc/ziplenv say; an unreadable file of those that other programs
    generate has none. `facts` are by path those of the kernels and ramdisks. `bootmap` is what
    zipl wrote last. `images` are by path what the kernels say of themselves that can be read,
    `image_material` what lies there to build one of Secure Execution with. `kernel_files` says where
    the names of kernels and ramdisks lead, `old_kernels` which images may be too old for a
    parameter. `running_line` is the line of the running kernel, None for any other tree.
    `secure_guest` is whether that is in Secure Execution mode. `configured` is whether there is a
    zipl configuration at all; without one `conf_path` is where it would be. `named_files` are those
    that files of the layout name, and whether they are there, None where that can't be seen. `prepared`
    is the Secure Execution image that the profile names. `bare` is what is known of a tree that has no
    boot entry, where the layout knows what to do with it.
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
        """Return the IBM Secure Execution image that the entry boots, which ignores its line."""
        image = None if entry.image is None else self.images.get(entry.image.path)
        return None if image is None else image.secure

    def is_secure(self, entry: BootEntry) -> bool | None:
        """Tell whether the entry starts in Secure Execution; None where its kernel can't be read.

        Nor is it known of an entry that starts no Linux, such as a dump tool.
        """
        if entry.kind is not EntryKind.IPL or entry.image is None:
            return None
        image = self.images.get(entry.image.path)
        return None if image is None else image.secure is not None

    @property
    def awaits_kernel(self) -> bool:
        """Whether this is an image before its kernel: there is neither a boot entry nor a kernel."""
        return self.bare is not None and self.bare.awaits_kernel

    @property
    def lacks_conf(self) -> bool:
        """Whether there are boot entries and no zipl configuration, which zipl needs besides."""
        there = self.sources.generated or self.file(self.conf_path) is not None
        return self.configured and not there

    @property
    def only_prepared(self) -> tuple[str, ...]:
        """The paths of the parmfile of the profile's image where zipl does not read it, too."""
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
    changed: Mapping[str, bytes] | None = None,
) -> Machine:
    """Read the boot configuration of the machine in `root`.

    `environment` is the process environment when the root is the running system, and None for
    any other tree, which must not inherit the ``ZIPLCONF`` of this machine or its running line.
    `sources` are those of the machine's layout. `phase` is what `progress` is told that this
    reading is. Raises RefusedError when there is no zipl configuration, and FileError for files
    that can't be read. With `unconfigured` a machine is taken without one too that has something
    else to judge: a boot record, or a running system that is an IBM Z machine. So is one of which
    the profile names an image, and one that has no kernel yet. With contents that files are
    `changed` to (`BootFiles`) it is the machine as that change would leave it.
    """
    progress.report(phase)
    files = BootFiles(root, changed)
    names = bls_names(root)
    try:
        conf = read_conf(root, files, sources, environment or {}, has_bls=bool(names))
    except NoConfigurationError:
        judged = unconfigured and can_be_judged(root, environment)
        awaits = sources.later_kernels and not names and _bare_tree(root, sources).awaits_kernel
        if not (judged or awaits or sources.image or sources.first):
            raise
        conf = None
    bls = []
    for number, file in enumerate(files.read_directory(BLS_DIRECTORY, names), start=1):
        text, refused = (file.text, None) if isinstance(file, BootFile) else ("", file.reason)
        bls.append(BlsFile(file.path, text, refused))
        progress.report(phase, number, len(names))
    installed = installed_version(root)
    version = (installed or CURRENT)._replace(order=sources.order)
    progress.report(Phase.INTERPRETING)
    ziplenv = _ziplenv(root, files)
    configuration = interpret(
        conf or ConfFile(ZIPL_CONF_PATHS[1], ""),
        bls,
        files,
        version,
        ziplenv,
    )
    parmfiles = _parmfiles(files, configuration)
    prepared = _prepared_image(root, files, sources, parmfiles)
    facts = _facts(files, configuration)
    paths = tuple(e.image.path for e in configuration.entries if e.image is not None)
    documents = _documents(root, files, sources.reads) | _generated(root, sources)
    bare = None
    if sources.first or (sources.later_kernels and not configuration.entries):
        bare = _bare_tree(root, sources, paths)
        documents |= _documents(root, files, bare.reads)
    if ziplenv is not None:
        documents[ZIPLENV] = ziplenv
    started = sources.images(documents)
    looked_at = ((path, files.image(path)) for path in dict.fromkeys((*paths, *started)))
    images = {path: image for path, image in looked_at if image is not None}
    has_secure = prepared is not None or any(image.secure for image in images.values())
    # A Secure Execution image lies anywhere; the kernels to make it of lie where they are installed.
    others = (*sources.kernels, "/boot") if has_secure else sources.kernels
    kernel_files = find_kernel_files(root, configuration, others)
    if has_secure:
        kernel_files = _ordinary(files, kernel_files)
        facts |= {
            path: files.look(path)
            for path in (*kernel_files.kernels, *kernel_files.ramdisks, *started)
        }
    return Machine(
        root=shown_base(root),
        zipl_version=version,
        zipl_version_is_assumed=installed is None,
        conf_path=configuration.conf.path,
        configuration=configuration,
        files=files.files,
        parmfiles=parmfiles,
        images=images,
        facts=facts,
        bootmap=read_bootmap_file(root, configuration),
        sources=sources,
        documents=documents,
        running_line=None if environment is None else root.text_or_none(RUNNING_LINE),
        image_material=_image_material(
            root, images, kernel_files, prepared, sources, running=environment is not None
        ),
        kernel_files=kernel_files,
        secure_guest=environment is not None and _is_secure_guest(root),
        configured=conf is not None,
        prepared=prepared,
        bare=bare,
        old_kernels=old_kernels(root, paths, facts),
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
        raise NoConfigurationError("there would be no zipl.conf", location=Location(conf.path))
    version = (installed_version(root) or CURRENT)._replace(order=sources.order)
    found = (files.read(f"{BLS_DIRECTORY}/{name}") for name in names)
    bls = [BlsFile(file.path, file.text) for file in found]
    return interpret(conf, bls, files, version, _ziplenv(root, files))


def is_bls_entry(path: str) -> bool:
    """Tell whether zipl takes what has this path for a boot entry."""
    directory, _, name = path.rpartition("/")
    return directory == BLS_DIRECTORY and name.endswith(".conf")


def bls_names(root: Root) -> tuple[str, ...]:
    """Return the names that zipl takes for entries: all that end in .conf, hidden ones too.

    A directory that can't be read is an error; one that is missing is none (scan.c, scan_bls).
    """
    status = root.stat(BLS_DIRECTORY)
    if status is None or not status.is_directory:
        return ()
    return tuple(name for name in root.list_directory(BLS_DIRECTORY) if name.endswith(".conf"))


def _bare_tree(root: Root, sources: Sources, images: tuple[str, ...] = ()) -> BareTree:
    from secboot.machine.bare_tree import find_bare_tree  # noqa: PLC0415 - few trees have no boot entry

    return find_bare_tree(root, sources, BLS_DIRECTORY, images)


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


def _prepared_image(
    root: Root, files: BootFiles, sources: Sources, parmfiles: Mapping[str, BootFile]
) -> PreparedImage | None:
    if sources.image is None:
        return None
    from secboot.machine.prepared_image import find_prepared_image  # noqa: PLC0415 - for few profiles

    others = {*ZIPL_CONF_PATHS, BLS_DIRECTORY, ZIPLENV, *sources.reads, *sources.derived}
    return find_prepared_image(root, files, sources.image, parmfiles, others)


def _ordinary(files: BootFiles, found: KernelFiles) -> KernelFiles:
    """Leave out Secure Execution images that are named as kernels are (``vmlinuz-5.14.0.pv``)."""
    images = ((path, files.image(path)) for path in found.kernels)
    return found._replace(
        kernels=tuple(path for path, image in images if image is None or image.secure is None)
    )


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


def _image_material(
    root: Root,
    images: Mapping[str, KernelImage],
    kernel_files: KernelFiles,
    prepared: PreparedImage | None,
    sources: Sources,
    *,
    running: bool,
) -> ImageMaterial:
    """Look for it where there is such an image, and where another program may make one (ostree)."""
    paths = {kernel_files.target(path) for path, image in images.items() if image.secure}
    paths |= set() if prepared is None else {prepared.real_output}
    if not paths and not sources.generated:
        return NO_IMAGE_MATERIAL
    from secboot.machine.material_search import find_image_material  # noqa: PLC0415 - of few machines

    return find_image_material(root, sorted(paths), BLS_DIRECTORY, running=running)
