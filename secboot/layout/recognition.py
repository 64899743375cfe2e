"""How each layout is detected: by files in the tree, and by the names in os-release.

What a layout does is in its own module; only the module of the detected layout is imported.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from secboot.formats.text import decoded
from secboot.layout.suse_files import ZIPL_CONFIG, ZIPL_TEMPLATE
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
RED_HAT_ZIPL_PLUGIN = "/usr/lib/kernel/install.d/91-zipl.install"
DEBIAN_HOOK = "/etc/kernel/postinst.d/zz-zipl"

_DEPLOYMENT = r"ostree-[0-9]+(?:-.+)?\.conf"
"""Names of ostree's entries (src/libostree/ostree-sysroot-deploy.c)."""
_OPTION = r"^options[ \t](?:[^\n]*[ \t])?((?:ostree|composefs)=)"
"""The parameter that selects the deployment: of ostree, or of bootc without ostree."""
_ENOUGH = 8
_VARIANTS = frozenset({"coreos", "iot"})
"""Variants that only exist with ostree (os-release(5), VARIANT_ID)."""
_FIRST_WITH_ENTRIES = {"rhel": 8, "centos": 8, "fedora": 30}
"""The first releases with BLS entries; earlier ones have sections in zipl.conf."""
_PLATFORM = re.compile(r"platform:(el|f)([0-9]{1,4})", re.ASCII)
"""PLATFORM_ID of RHEL 8 and later, Fedora, and what is rebuilt from them (os-release(5))."""
_PLATFORM_NAMES = {"el": "rhel", "f": "fedora"}
_SUSE_IDS = ("sles", "sled", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "suse")


class RedHatRelease(NamedTuple):
    """A release of RHEL, CentOS or Fedora; `said` is how os-release says so."""

    name: str
    number: int
    said: str

    @property
    def has_entries(self) -> bool:
        """Whether it boots with BLS entries."""
        return self.number >= _FIRST_WITH_ENTRIES[self.name]


class Tree:
    """What the detection of a layout can query about a tree."""

    def __init__(self, root: Root, entries: tuple[str, ...]) -> None:
        self._root = root
        self.entries = entries
        """The names of the BLS entries."""

    def exists(self, path: str) -> bool:
        """Whether the path exists; a path that can't be accessed does not."""
        return self._root.exists_or_none(path) is True

    def is_program(self, path: str) -> bool:
        """Whether the path is an executable file."""
        try:
            found = self._root.stat(path)
        except FileError:
            return False
        return found is not None and found.is_regular and bool(found.mode & 0o111)

    def marks(self, *paths: str) -> tuple[str, ...]:
        """Return those of the paths that exist."""
        return tuple(path for path in paths if self.exists(path))

    @property
    def has_conf(self) -> bool:
        """Whether zipl.conf is where an administrator or an installer writes it."""
        return self.exists("/etc/zipl.conf")

    def link_target(self, path: str) -> str | None:
        """Return the target of the symbolic link `path`; None if it is not a link or inaccessible."""
        try:
            return self._root.link_target(path)
        except FileError:
            return None

    def entry_text(self, name: str) -> str:
        """Return the text of a BLS entry; "" if it can't be read."""
        try:
            data = self._root.read_bytes(f"{BLS_DIRECTORY}/{name}", _LIMIT)
        except FileError:
            return ""
        return decoded(data)

    def is_like(self, *names: str) -> str | None:
        """Return the first of ID and ID_LIKE in os-release(5) that is one of the names, or None."""
        given = [self.os_release.get("ID", ""), *self.os_release.get("ID_LIKE", "").split()]
        return next((name for name in given if name in names), None)

    @property
    def red_hat_name(self) -> str | None:
        """RHEL, CentOS or Fedora, as ID in os-release or the nearest one in ID_LIKE."""
        names = (self.os_release.get("ID"), *_FIRST_WITH_ENTRIES)
        return next((n for n in names if n in _FIRST_WITH_ENTRIES and self.is_like(n)), None)

    @property
    def red_hat_release(self) -> RedHatRelease | None:
        """The release of RHEL, CentOS or Fedora that this is, or is built from; None if unknown.

        A distribution that is like Fedora often has its own numbers (Oracle Linux 9 is one), so they
        only count if they can be those of a Fedora with BLS entries. One that is like RHEL has RHEL's.
        """
        name, version = self.red_hat_name, self.major_version
        if name is None:
            return None
        platform = self.os_release.get("PLATFORM_ID", "")
        built = _PLATFORM.fullmatch(platform)
        is_own = self.os_release.get("ID") == name
        if built is not None and not (is_own and version is not None):
            return RedHatRelease(
                _PLATFORM_NAMES[built[1]], int(built[2]), f"PLATFORM_ID={platform}"
            )
        other_numbers = name == "fedora" and not is_own
        if version is None or (other_numbers and version < _FIRST_WITH_ENTRIES[name]):
            return None
        return RedHatRelease(name, version, f"{name} {version}")

    @property
    def major_version(self) -> int | None:
        """The number at the start of VERSION_ID."""
        found = re.match(r"\d{1,4}", self.os_release.get("VERSION_ID", ""), re.ASCII)
        return None if found is None else int(found[0])

    @cached_property
    def os_release(self) -> dict[str, str]:
        """The assignments in os-release; empty if it is missing or can't be read."""
        for path in _OS_RELEASE:
            try:
                text = decoded(self._root.read_bytes(path, _LIMIT))
            except FileError:
                continue
            return {match[1]: match[3] for match in _ASSIGNMENT.finditer(text)}
        return {}


class Recognition(NamedTuple):
    """How a layout is detected.

    `evidence` returns evidence that a person can check; empty if absent. `named` returns what
    os-release says about the distribution: it is only used without evidence, and never contradicts
    it. `made_of` are layouts whose evidence is expected in addition.
    """

    name: str
    evidence: Callable[[Tree], tuple[str, ...]]
    named: Callable[[Tree], tuple[str, ...]] = lambda _: ()
    made_of: tuple[str, ...] = ()


def _in_row(
    name: str, *marks: tuple[str, ...], ids: tuple[tuple[str, int | None], ...]
) -> Recognition:
    """Return how to detect a layout by files and names only.

    Each mark lists possible places of one file; the first that exists is the evidence. A name
    applies up to the release that is given with it, if any.
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
    """The repository, or evidence that a running system or its root comes from one.

    The root of a deployment has no repository: /ostree is a link to /sysroot/ostree, where nothing
    is mounted. There, the evidence is in the boot entries and in what rpm-ostree or the builder of
    the image writes to os-release.
    """
    found = tree.marks("/ostree/repo", "/run/ostree-booted", "/sysroot/ostree")
    if "/ostree/repo" not in found and tree.link_target("/ostree") is not None:
        found = ("/ostree", *found)
    return (*found, *_deployment_marks(tree)[:1], *_release_marks(tree)[:1])


def _deployment_marks(tree: Tree) -> tuple[str, ...]:
    """The entry that ostree or bootc wrote, detected by its name or its options.

    All entries of such a system are deployments, so checking a few is enough.
    """
    named = [name for name in tree.entries if re.fullmatch(_DEPLOYMENT, name)]
    if named:
        return (f"{BLS_DIRECTORY}/{named[0]}",)
    texts = ((name, tree.entry_text(name)) for name in tree.entries[:_ENOUGH])
    options = ((name, re.search(_OPTION, text, re.MULTILINE)) for name, text in texts)
    return tuple(f"{found[1]} in {BLS_DIRECTORY}/{name}" for name, found in options if found)


def _release_marks(tree: Tree) -> tuple[str, ...]:
    """What os-release says about how the tree was built, which is more than its name."""
    if "OSTREE_VERSION" in tree.os_release:
        return (f"os-release: OSTREE_VERSION={tree.os_release['OSTREE_VERSION']}",)
    variant = tree.os_release.get("VARIANT_ID")
    return (f"os-release: VARIANT_ID={variant}",) if variant in _VARIANTS else ()


def _suse_evidence(tree: Tree) -> tuple[str, ...]:
    """The template or the generated configuration."""
    return tree.marks(ZIPL_TEMPLATE, ZIPL_CONFIG)


def _named_suse(tree: Tree) -> tuple[str, ...]:
    """The distribution's name. SLES 11 and earlier do not have two stages.

    Later releases have no /etc/zipl.conf: if it exists, and neither GRUB's template nor what is
    generated from it, as in an image from another builder, it does not boot in the distribution's way.
    """
    name = tree.is_like(*_SUSE_IDS)
    if name in {"sles", "sled"} and (tree.major_version or 12) < 12:
        return ()
    if tree.has_conf:
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

    On Debian, and after SUSE's generator has run, entries alone are not evidence: zipl reads them
    there too, but somebody wrote them by hand, and new kernels still boot in the distribution's way.
    """
    by_hand = bool(_DEBIAN.evidence(tree) or _DEBIAN.named(tree) or tree.exists(ZIPL_CONFIG))
    entries = (f"{BLS_DIRECTORY}/*.conf",) if tree.entries and not by_hand else ()
    return entries + tree.marks(RED_HAT_PLUGIN)


def _named_red_hat(tree: Tree) -> tuple[str, ...]:
    """The distribution's name, since the first release with BLS entries."""
    found = tree.red_hat_release
    return () if found is None or not found.has_entries else (f"os-release: {found.said}",)


def _named_rhel7(tree: Tree) -> tuple[str, ...]:
    """The distribution's name, before that release."""
    found = tree.red_hat_release
    return () if found is None or found.has_entries else (f"os-release: {found.said}",)


def _rhel7_evidence(tree: Tree) -> tuple[str, ...]:
    return tree.marks("/sbin/new-kernel-pkg", "/usr/sbin/new-kernel-pkg")[:1]


LAYOUTS = (
    # ostree systems are built from Red Hat's.
    Recognition(OSTREE, _ostree_evidence, made_of=(RED_HAT, RHEL7)),
    Recognition(SUSE, _suse_evidence, _named_suse),
    Recognition(RED_HAT, _red_hat_evidence, _named_red_hat),
    # RHEL 8 has no new-kernel-pkg on s390x (20-zipl-kernel.install checks for it and writes BLS
    # entries if it is missing).
    Recognition(RHEL7, _rhel7_evidence, _named_rhel7),
    _DEBIAN,
    _in_row(ALPINE, ("/etc/alpine-release",), ids=(("alpine", None),)),
    _in_row(PLAIN, ids=(("sles", 11), ("sled", 11))),
)
