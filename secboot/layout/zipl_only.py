"""Systems whose boot files are the sections of zipl.conf, and BLS entries written by hand.

Their common behaviour is code; their differences are rows of a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.layout.layout import NOT_KNOWN, Layout, NewKernel
from secboot.layout.recognition import ALPINE, DEBIAN, DEBIAN_HOOK, PLAIN, RHEL7
from secboot.layout.same_names import follows
from secboot.named_tuple import NamedTuple
from secboot.zipl.order import debian_version_key, rpm_version_key

if TYPE_CHECKING:
    from secboot.layout.first import FirstAsked, FirstFiles
    from secboot.layout.recognition import Tree
    from secboot.layout.same_names import ReleaseKey
    from secboot.lines.changes import StorePlan
    from secboot.lines.stores import Stores
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile

_NO_SECTION = "a section of zipl.conf boots new kernels, but none exists yet: {}"
_SAME = "the existing sections boot new kernels, through the same names"


class Row(NamedTuple):
    """One such system.

    `inherits` says what a new kernel gets, if known (``{}`` stands for the default section).
    `order` is how it compares kernel releases; `one_name` whether kernel files have no release in
    their names. `hooks` run zipl for a new kernel; empty if packages do so without them. `first_by`
    is what writes the first zipl.conf, if known.
    """

    name: str
    description: str
    inherits: str | None = _SAME
    order: ReleaseKey = rpm_version_key
    one_name: bool = False
    hooks: tuple[str, ...] = ()
    first_by: str | None = None


_DEBIAN = Row(
    DEBIAN,
    "zipl.conf sections (Debian, Ubuntu)",
    order=debian_version_key,
    hooks=(DEBIAN_HOOK, "/usr/share/kernel/postinst.d/zz-zipl"),
)
"""The installer writes zipl.conf once, with sections whose image is a symbolic link. The kernel
package updates the links and runs zipl through zz-zipl, which does nothing without /etc/zipl.conf."""

_ALPINE = Row(
    ALPINE, "zipl.conf sections (Alpine)", one_name=True, first_by="setup-disk (alpine-conf)"
)
"""setup-disk writes zipl.conf once (alpine-conf, dasd-functions.sh); the kernel has a fixed name.
The s390-tools package has a trigger on /boot that runs zipl (aports, s390-tools.trigger)."""

_RHEL7 = Row(
    RHEL7,
    "zipl.conf sections (RHEL 7)",
    inherits="a new kernel gets a copy of {} (new-kernel-pkg, grubby)",
    first_by="its installer and new-kernel-pkg",
)

_PLAIN = Row(PLAIN, "zipl.conf sections", inherits=None)
"""A zipl.conf without a known distribution, the fallback. SLES 11 uses it as well; its
perl-Bootloader adds sections for new kernels, by its own rules."""

ROWS = {row.name: row for row in (_RHEL7, _DEBIAN, _ALPINE, _PLAIN)}


class ZiplConfLayout(Layout):
    """The sections of zipl.conf are edited; zipl commits them."""

    def __init__(self, row: Row, tree: Tree, seen: tuple[str, ...]) -> None:
        super().__init__(seen)
        self.name, self.description = row.name, row.description
        self._row = row
        self._system = tree.os_release.get("ID") or "linux"
        self.first_by = row.first_by or self.first_by
        self._no_hook = _no_hook(row, tree)
        self.sources = self.sources._replace(later_kernels=row.inherits is not None)

    def first_configuration(self, machine: Machine, asked: FirstAsked) -> FirstFiles:
        """Return Debian's, which uses links that its packages update; refuse for the others."""
        if self._row is _PLAIN:
            raise RefusedError(
                f"the distribution in {machine.root} is unknown, and so is the way it boots",
                hint="if it uses one of these layouts, specify it: --layout bls or --layout debian",
            )
        if self._row is not _DEBIAN:
            return super().first_configuration(machine, asked)
        from secboot.layout.first_sections import first_menu  # noqa: PLC0415 - for one verb

        return first_menu(machine, asked, self._system)

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Edit nothing for future kernels; report nothing if nothing is known."""
        if self._row.inherits is None:
            return ()
        return super().plan_stores(profile, machine, stores)

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """Return what new kernels get: the default section, through the same names or as a copy."""
        if self._row.inherits is None:
            return NewKernel(NOT_KNOWN)
        default = machine.configuration.default
        named = "the default section" + ("" if default is None else f" '{default.name}'")
        description = self._row.inherits.format(named)
        if default is None:
            by = self._row.first_by
            writer = "after a kernel is installed, secboot init writes it"
            writer = writer if by is None else f"it comes from {by}"
            return NewKernel(_NO_SECTION.format(writer) if machine.awaits_kernel else description)
        if machine.secure_image(default) is not None:
            image = "" if default.image is None else default.image.path
            return NewKernel(
                f"a new kernel is only booted after the Secure Execution image {image} is rebuilt"
            )
        line = stores.environment.expand(stores.entry_planned(default) or "")
        found = NewKernel(description, line, default.location)
        if self._row.inherits != _SAME:
            return found
        row = self._row
        followed = follows(machine, default, row.order, one_name=row.one_name)
        if followed.obstacle is not None:
            return found._replace(
                obstacle=followed.obstacle, remedy=followed.remedy, repairs=followed.repairs
            )
        lost = _lost(default.location.path)
        return found._replace(doubt=lost or followed.doubt or self._no_hook)


def _lost(path: str) -> str | None:
    """Say that zipl will read another file after a reboot: /run is empty then."""
    return f"{path} does not outlast a reboot" if path.startswith("/run/") else None


def _no_hook(row: Row, tree: Tree) -> str | None:
    """Why packages do not run zipl for a new kernel, as far as it is known."""
    if not row.hooks or any(map(tree.is_program, row.hooks)):
        return None
    found = tree.marks(*row.hooks)
    path = found[0] if found else row.hooks[0]
    why = "is not executable, so run-parts skips it" if found else "does not exist"
    return f"{path}, which runs zipl for a new kernel, {why}"
