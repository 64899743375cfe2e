"""How each layout is told from a tree: by its marks, and by what os-release names.

Only how: what a layout does is in its own module, of which the one that fits is imported.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from secboot.formats.text import decoded
from secboot.layout.suse_files import GRUB_DEFAULT, ZIPL_CONFIG, ZIPL_TEMPLATE
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.named_tuple import NamedTuple
from secboot.system.file_errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.system.root import Root

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_LIMIT = 2**16
_ASSIGNMENT = re.compile(r"""^([A-Z_0-9]+)=(["']?)([^"'\r\n]*)\2[ \t\r]*$""", re.MULTILINE)

OSTREE, SUSE, RED_HAT = "ostree", "suse", "bls"
RHEL7, DEBIAN, ALPINE, PLAIN = "rhel7", "debian", "alpine", "zipl.conf"

RED_HAT_PLUGIN = "/usr/lib/kernel/install.d/20-zipl-kernel.install"
DEBIAN_HOOK = "/etc/kernel/postinst.d/zz-zipl"

_DEPLOYMENT = r"ostree-[0-9]+(?:-.+)?\.conf"
"""ostree's names of entries (src/libostree/ostree-sysroot-deploy.c)."""
_OPTION = r"^options[ \t](?:[^\n]*[ \t])?((?:ostree|composefs)=)"
"""Which deployment is the root: of ostree, or of bootc without it."""
_ENOUGH = 8
_VARIANTS = frozenset({"coreos", "iot"})
"""Variants of which there is no other form (os-release(5), VARIANT_ID)."""
_FIRST_WITH_ENTRIES = {"rhel": 8, "centos": 8, "fedora": 30}
_SUSE_IDS = ("sles", "sled", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "suse")


class Tree:
    """What a layout may ask of the tree that it is to recognise."""

    def __init__(self, root: Root, entries: tuple[str, ...]) -> None:
        self._root = root
        self.entries = entries
        """The names of the BLS entries."""

    def exists(self, path: str) -> bool:
        """Whether there is anything under the path; what can't be looked at is not there."""
        return self._root.exists_or_none(path) is True

    def marks(self, *paths: str) -> tuple[str, ...]:
        """Those of the paths that exist."""
        return tuple(path for path in paths if self.exists(path))

    def link_target(self, path: str) -> str | None:
        """What the symbolic link `path` says; None where there is none, or none to be seen."""
        try:
            return self._root.link_target(path)
        except FileError:
            return None

    def entry_text(self, name: str) -> str:
        """The text of a BLS entry; that of one that can't be read is empty."""
        try:
            data = self._root.read_bytes(f"{BLS_DIRECTORY}/{name}", _LIMIT)
        except FileError:
            return ""
        return decoded(data)

    def is_like(self, *names: str) -> str | None:
        """Which of the names os-release gives as ID, or lists as ID_LIKE (os-release(5))."""
        given = [self.os_release.get("ID", ""), *self.os_release.get("ID_LIKE", "").split()]
        return next((name for name in given if name in names), None)

    @property
    def major_version(self) -> int | None:
        """The number that VERSION_ID begins with."""
        found = re.match(r"\d{1,4}", self.os_release.get("VERSION_ID", ""), re.ASCII)
        return None if found is None else int(found[0])

    @cached_property
    def os_release(self) -> dict[str, str]:
        """The assignments of os-release; none where it is missing or can't be read."""
        for path in _OS_RELEASE:
            try:
                text = decoded(self._root.read_bytes(path, _LIMIT))
            except FileError:
                continue
            return {match[1]: match[3] for match in _ASSIGNMENT.finditer(text)}
        return {}


class Recognition(NamedTuple):
    """How a layout is told from a tree.

    `evidence` are its marks, as a person would check them. `named` is what os-release says of the
    distribution: it tells the layout where no marks do, and never contradicts any. `made_of` are
    layouts whose marks are expected beside these.
    """

    name: str
    evidence: Callable[[Tree], tuple[str, ...]]
    named: Callable[[Tree], tuple[str, ...]] = lambda _: ()
    made_of: tuple[str, ...] = ()


def _in_row(
    name: str, *marks: tuple[str, ...], ids: tuple[tuple[str, int | None], ...]
) -> Recognition:
    """Return how one is told that has nothing but marks and names.

    Of marks that are one program in several places the first counts; a name counts up to a release,
    where one is given.
    """

    def evidence(tree: Tree) -> tuple[str, ...]:
        return tuple(path for places in marks for path in tree.marks(*places)[:1])

    def named(tree: Tree) -> tuple[str, ...]:
        found = tree.is_like(*(each for each, _ in ids))
        if found is None:
            return ()
        last, version = dict(ids)[found], tree.major_version
        if last is None:
            return (f"os-release: {found}",)
        if version is None or version > last:
            return ()
        return (f"os-release: {found} {version}",)

    return Recognition(name, evidence, named)


def _ostree_evidence(tree: Tree) -> tuple[str, ...]:
    """The repository, or what tells that a running system or the root of one comes from it.

    A deployment's own root has no repository: /ostree is a link to /sysroot/ostree, where nothing
    is mounted. Its boot entries tell, and what rpm-ostree or the image's makers write to os-release.
    """
    found = tree.marks("/ostree/repo", "/run/ostree-booted", "/sysroot/ostree")
    if "/ostree/repo" not in found and tree.link_target("/ostree") is not None:
        found = ("/ostree", *found)
    return (*found, *_deployment_marks(tree)[:1], *_release_marks(tree)[:1])


def _deployment_marks(tree: Tree) -> tuple[str, ...]:
    """The entry that ostree or bootc wrote, by its name or its options.

    All entries of such a system are deployments, so a few tell.
    """
    named = [name for name in tree.entries if re.fullmatch(_DEPLOYMENT, name)]
    if named:
        return (f"{BLS_DIRECTORY}/{named[0]}",)
    texts = ((name, tree.entry_text(name)) for name in tree.entries[:_ENOUGH])
    options = ((name, re.search(_OPTION, text, re.MULTILINE)) for name, text in texts)
    return tuple(f"{found[1]} in {BLS_DIRECTORY}/{name}" for name, found in options if found)


def _release_marks(tree: Tree) -> tuple[str, ...]:
    """What os-release says of the way a tree was made, which is more than its name."""
    if "OSTREE_VERSION" in tree.os_release:
        return (f"os-release: OSTREE_VERSION={tree.os_release['OSTREE_VERSION']}",)
    variant = tree.os_release.get("VARIANT_ID")
    return (f"os-release: VARIANT_ID={variant}",) if variant in _VARIANTS else ()


def _suse_evidence(tree: Tree) -> tuple[str, ...]:
    """The template or the generated configuration."""
    return tree.marks(ZIPL_TEMPLATE, ZIPL_CONFIG)


def _named_suse(tree: Tree) -> tuple[str, ...]:
    """The distribution's name; up to SLES 11 there were no two stages.

    Later releases have no /etc/zipl.conf: where it stands in the place of grub's files, as in an
    image that somebody else made, it is not the distribution that boots.
    """
    name = tree.is_like(*_SUSE_IDS)
    if name in {"sles", "sled"} and (tree.major_version or 12) < 12:
        return ()
    if tree.exists("/etc/zipl.conf") and not tree.exists(GRUB_DEFAULT):
        return ()
    return () if name is None else (f"os-release: {name}",)


_DEBIAN = _in_row(
    DEBIAN,
    (DEBIAN_HOOK,),
    ("/etc/debian_version",),
    ids=(("debian", None), ("ubuntu", None)),
)


def _red_hat_evidence(tree: Tree) -> tuple[str, ...]:
    """BLS entries, or the program that writes them.

    Entries alone don't tell on Debian: zipl reads them there too, but somebody wrote them by
    hand, and a new kernel still takes its parameters from the sections of zipl.conf.
    """
    by_hand = bool(_DEBIAN.evidence(tree) or _DEBIAN.named(tree))
    entries = (f"{BLS_DIRECTORY}/*.conf",) if tree.entries and not by_hand else ()
    return entries + tree.marks(RED_HAT_PLUGIN)


def _named_red_hat(tree: Tree) -> tuple[str, ...]:
    """The distribution's name, from the release on that has BLS entries."""
    name, version = tree.is_like(*_FIRST_WITH_ENTRIES), tree.major_version
    if name is None or version is None or version < _FIRST_WITH_ENTRIES[name]:
        return ()
    return (f"os-release: {name} {version}",)


LAYOUTS = (
    # The systems of ostree are made of Red Hat's.
    Recognition(OSTREE, _ostree_evidence, made_of=(RED_HAT, RHEL7)),
    Recognition(SUSE, _suse_evidence, _named_suse),
    Recognition(RED_HAT, _red_hat_evidence, _named_red_hat),
    # RHEL 8 has no new-kernel-pkg on s390x (20-zipl-kernel.install asks for it and writes BLS
    # entries where it is missing).
    _in_row(
        RHEL7,
        ("/sbin/new-kernel-pkg", "/usr/sbin/new-kernel-pkg"),
        ids=(("rhel", 7), ("centos", 7), ("fedora", 29)),
    ),
    _DEBIAN,
    _in_row(ALPINE, ("/etc/alpine-release",), ids=(("alpine", None),)),
    _in_row(PLAIN, ids=(("sles", 11), ("sled", 11))),
)
