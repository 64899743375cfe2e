"""Finds the material for building an IBM Secure Execution image, if somebody may want to build one.

The file names are those of IBM's documentation ("Verifying the host key document"), of ostree
(ostree-bootloader-zipl.c, which coreos-installer follows) and of pvics (pvics.yaml(5)).
"""

from __future__ import annotations

import re
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING

from secboot.machine.image_material import HOST_KEYS, ImageMaterial
from secboot.machine.old_entries import old_entries
from secboot.system.file_errors import FileError, NotFoundError
from secboot.system.program_search import find_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.system.root import Root

BUILDERS = ("pvimg", "genprotimg")
_TRUSTEE = ("/run/confidential-containers/ibmse", "/opt/confidential-containers/ibmse")
"""Where the verifier of Confidential Containers stores them (trustee, deps/verifier/src/se)."""
_DIRECTORIES = (HOST_KEYS, *_TRUSTEE)
_BELOW = ("", "/hkds", "/certs", "/crls")
_KEY_HASHES = "/sys/firmware/uv/keys/all"
_CERTIFICATE = r"\.(?:crt|cer|cert|pem|der)"
_HOST_KEY = re.compile(rf"ibm-z-hostkey.*|(?i:HKD-.+{_CERTIFICATE}|.+\.hkd)", re.ASCII)
_SIGNING_KEY = re.compile(rf"(?i:ibm-z-host-key-signing.*{_CERTIFICATE})", re.ASCII)
_CA = re.compile(rf"(?i:DigiCert(?!.*Root).*{_CERTIFICATE})", re.ASCII)
"""The intermediate certificate; the system has the root certificate."""
_REVOCATION_LIST = re.compile(r"(?i:.+\.crl)", re.ASCII)
_LEFTOVER = re.compile(r"~$|\.(?:bak|old|orig|save|sig|asc|sha\d+|rpm\w+|dpkg-\w+)$", re.ASCII)


def find_image_material(
    root: Root, images: Sequence[str], entries: str, *, running: bool
) -> ImageMaterial:
    """Search the usual places; for each kind of file, the first place that has any is used.

    `images` are the paths of the Secure Execution images, `entries` is the directory of BLS entries.
    `running` means that the root is that of the running system.
    """
    unreadable: list[str] = []
    found = [tuple(_files(root, place, unreadable)) for place in _DIRECTORIES]

    def first(pattern: re.Pattern[str]) -> tuple[str, ...]:
        chosen = (tuple(path for path in paths if _is(pattern, path)) for paths in found)
        return tuple(_real(root, path) for path in next(filter(None, chosen), ()))

    return ImageMaterial(
        host_keys=first(_HOST_KEY),
        signing_keys=first(_SIGNING_KEY),
        certificates=first(_CA),
        revocation_lists=first(_REVOCATION_LIST),
        unreadable=next(iter(unreadable), None),
        builders=tuple(name for name in BUILDERS if find_program(root, name) is not None),
        knows_its_host=running and root.is_readable(_KEY_HASHES),
        free_names=MappingProxyType({path: free_name(root, path) for path in images}),
        old_entries=old_entries(root, entries) if images else (),
        home="/root" if _is_directory(root, "/root") else "/etc",
    )


def free_name(root: Root, path: str) -> str:
    """Return an unused name next to `path`, so that an image built there does not replace anything."""
    names = (f"{path}.new{number if number > 1 else ''}" for number in count(1))
    return next(name for name in names if not _is_taken(root, name))


def _is_directory(root: Root, path: str) -> bool:
    try:
        status = root.stat(path)
    except FileError:
        return False
    return status is not None and status.is_directory


def _is_taken(root: Root, path: str) -> bool:
    try:
        return root.exists(path) or root.link_target(path) is not None
    except FileError:
        return False


def _is(pattern: re.Pattern[str], path: str) -> bool:
    name = path.rpartition("/")[2]
    return pattern.fullmatch(name) is not None and not _LEFTOVER.search(name)


def _files(root: Root, place: str, unreadable: list[str]) -> Iterator[str]:
    """Yield the paths in a directory and in its known subdirectories."""
    for directory in (f"{place}{below}" for below in _BELOW):
        try:
            names = root.list_directory(directory)
        except NotFoundError:
            if directory == place:
                return
            continue
        except FileError as error:
            unreadable.append(f"{directory} can't be read ({error.message})")
            return
        yield from (f"{directory}/{name}" for name in names)


def _real(root: Root, path: str) -> str:
    """Return the real path in a tree, where an absolute link would point to a file of this machine."""
    return path if root.base == "/" else place_of(root, path)


def place_of(root: Root, path: str) -> str:
    """Return the real path; the path itself if that is unknown."""
    try:
        return root.real_path(path)
    except FileError:
        return path
