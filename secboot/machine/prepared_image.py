"""The Secure Execution image that a profile names: its parmfile, and what is there of the image.

The parmfile becomes a boot file like any other, but that zipl does not read it: the tool that builds
the image does.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.machine.material_search import place_of
from secboot.named_tuple import NamedTuple
from secboot.profile.search import SEARCH_PATH
from secboot.system.file_errors import AccessError
from secboot.system.trusted import caller
from secboot.visible import visible
from secboot.zipl.file_facts import PathKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from secboot.formats.kernel_image import KernelImage, SecureImage
    from secboot.machine.boot_files import BootFile, BootFiles
    from secboot.profile.profile import ImagePaths
    from secboot.system.files import FileStat
    from secboot.system.root import Root
    from secboot.zipl.file_facts import FileFacts

_LIMIT = 2**16
"""Bytes; a kernel takes a line of a few thousand."""


class PreparedImage(NamedTuple):
    """The image that a profile names, as it was found.

    `parmfile` is None where there is none, or none that may be read, of which `unreadable` gives
    the reason. `real_path` is where it is, or will be. `output` is what is known of the file of the
    image, `real_output` where its links lead, `image` what it says of itself, None where it is
    missing or can't be read. `kernel` is what the kernel says that the profile names to build it
    from, `missing` are of this kernel and its ramdisk those that are not there.
    """

    paths: ImagePaths
    real_path: str
    parmfile: BootFile | None
    unreadable: str | None
    output: FileFacts
    real_output: str
    image: KernelImage | None
    kernel: KernelImage | None
    missing: tuple[str, ...] = ()

    @property
    def secure(self) -> SecureImage | None:
        """The Secure Execution image that is there; None where the output is none, or not known."""
        return None if self.image is None else self.image.secure

    @property
    def is_older(self) -> bool:
        """Whether the parmfile was changed after the image was built."""
        return self.parmfile is not None and self.output.modified < self.parmfile.modified


def find_prepared_image(
    root: Root,
    files: BootFiles,
    paths: ImagePaths,
    parmfiles: Mapping[str, BootFile],
    others: Collection[str],
) -> PreparedImage:
    """Look at the files that a profile names.

    `parmfiles` are those of zipl's configuration, of which the parmfile may be one; `others` are
    boot files of other kinds, and directories of such. Raises UsageError, with the place in the
    profile, for a path that can be no parmfile, and FileError for what can't be looked at.
    """
    parmfile, unreadable = None, None
    try:
        real_path, status = _find(root, paths)
    except AccessError as error:
        real_path, status, unreadable = paths.parmfile, None, error.message
    if not any(file.real_path == real_path for file in parmfiles.values()):
        taken = {*others, *(file.real_path for file in files.files)}
        if real_path in taken or real_path.rpartition("/")[0] in taken:
            raise _unusable(paths, f"{paths.parmfile} is a boot file of another kind")
    if status is not None:
        _require_for_caller(status, paths)
        try:
            parmfile = files.read(paths.parmfile)
        except AccessError as error:
            unreadable = error.message
    if parmfile is not None and (b"\0" in parmfile.data or len(parmfile.data) > _LIMIT):
        raise _unusable(paths, f"{paths.parmfile} holds a program or other data")
    return PreparedImage(
        paths,
        real_path,
        parmfile,
        unreadable,
        files.look(paths.output),
        place_of(root, paths.output),
        files.image(paths.output),
        None if paths.kernel is None else files.image(paths.kernel),
        tuple(
            path
            for path in (paths.kernel, paths.ramdisk)
            if path is not None and files.look(path).kind is PathKind.MISSING
        ),
    )


def _find(root: Root, paths: ImagePaths) -> tuple[str, FileStat | None]:
    """Return where the parmfile is, or will be once the missing directories have been made."""
    found = root.nearest(paths.parmfile)
    if found.status is None:
        link = f"{found.path} is a link to {visible(found.leads_to)}"
        raise _unusable(paths, f"{link}, which is not there in the root")
    if not found.is_all and not found.status.is_directory:
        raise _unusable(paths, f"{found.path} is not a directory")
    if found.is_all and not found.status.is_regular:
        raise _unusable(paths, f"{found.path} is not a regular file")
    return found.leads_to, found.status if found.is_all else None


def _require_for_caller(status: FileStat, paths: ImagePaths) -> None:
    """Show nobody who may run secboot by sudo(8) alone a file that is not his to read.

    A profile that was named by its path is his word; one that has its place in the system is not.
    """
    by_path = not paths.location.path.startswith(tuple(f"{each}/" for each in SEARCH_PATH))
    mine = caller() in {0, status.uid} or bool(status.st_mode & stat.S_IROTH)
    if by_path and not mine:
        raise _unusable(paths, f"only its owner may read {paths.parmfile}")


def _unusable(paths: ImagePaths, why: str) -> UsageError:
    return UsageError(
        f"this can't be the parmfile of an image: {why}",
        location=paths.location,
        hint="name a file of its own for it, inside of the root; nothing was changed",
    )
