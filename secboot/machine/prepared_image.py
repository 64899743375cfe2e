"""The Secure Execution image that a profile names: its parmfile, and the state of the image.

The parmfile is a boot file like any other, except that zipl does not read it; the tool that builds
the image does.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from secboot.errors import UsageError
from secboot.machine.material_search import place_of
from secboot.named_tuple import NamedTuple
from secboot.profile.declared import DECLARED
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
"""In bytes; a kernel accepts a line of a few thousand bytes."""


class PreparedImage(NamedTuple):
    """The image that a profile names, as it was found.

    `parmfile` is None if it does not exist or can't be read; then `unreadable` is the reason for
    the latter. `real_path` is where it is, or will be. `output` are the facts about the image file,
    `real_output` its path without links, `image` the content of its header, None if it is missing
    or can't be read. `kernel` is the same for the kernel that the profile names for building it;
    `missing` says which of this kernel and its ramdisk do not exist.
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
        """The existing Secure Execution image; None if the output is not one, or unknown."""
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
    """Examine the files that a profile names.

    `parmfiles` are those of zipl's configuration, which can include the parmfile; `others` are boot
    files of other kinds, and their directories. Raises UsageError, with the location in the profile,
    for a path that can't be a parmfile, and FileError for a file that can't be accessed.
    """
    parmfile, unreadable = None, None
    try:
        real_path, status = _find(root, paths)
    except AccessError as error:
        real_path, status, unreadable = paths.parmfile, None, error.message
    if not any(file.real_path == real_path for file in parmfiles.values()):
        taken = {*others, DECLARED, *(file.real_path for file in files.files)}
        directory, _, name = real_path.rpartition("/")
        if real_path in taken or directory in taken or name == "bootmap":
            raise _unusable(paths, f"{paths.parmfile} is a boot file of another kind")
    if status is not None:
        _require_for_caller(status, paths)
        try:
            parmfile = files.read(paths.parmfile)
        except AccessError as error:
            unreadable = error.message
    if parmfile is not None and (b"\0" in parmfile.data or len(parmfile.data) > _LIMIT):
        raise _unusable(paths, f"{paths.parmfile} contains a program or other data")
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
    """Return where the parmfile is, or will be after the missing directories are created."""
    found = root.nearest(paths.parmfile)
    if found.status is None:
        link = f"{found.path} is a link to {visible(found.leads_to)}"
        raise _unusable(paths, f"{link}, which does not exist in the root directory")
    if not found.is_all and not found.status.is_directory:
        raise _unusable(paths, f"{found.path} is not a directory")
    if found.is_all and not found.status.is_regular:
        raise _unusable(paths, f"{found.path} is not a regular file")
    return found.leads_to, found.status if found.is_all else None


def _require_for_caller(status: FileStat, paths: ImagePaths) -> None:
    """Refuse to show a file to a user who can't read it and may only run secboot with sudo(8).

    That user controls a profile that is named by its path, but not one of the system.
    """
    by_path = not paths.location.path.startswith(tuple(f"{each}/" for each in SEARCH_PATH))
    mine = caller() in {0, status.uid} or bool(status.st_mode & stat.S_IROTH)
    if by_path and not mine:
        raise _unusable(paths, f"only its owner can read {paths.parmfile}")


def _unusable(paths: ImagePaths, why: str) -> UsageError:
    return UsageError(
        f"this can't be the parmfile of an image: {why}",
        location=paths.location,
        hint="name a separate file for it, inside the root directory",
    )
