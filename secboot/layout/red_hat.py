"""RHEL 8 to 10, Fedora and derivatives: BLS entries, and /etc/kernel/cmdline for new kernels.

20-zipl-kernel.install of s390utils writes the entry of a new kernel: with the words of
/etc/kernel/cmdline, or if there are none, with those of /proc/cmdline except ``initrd=`` (newer
releases also omit ``BOOT_IMAGE=``). 91-zipl.install then runs zipl.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.fstab import FSTAB, Fstab
from secboot.formats.kernel_cmdline import KERNEL_CMDLINE, KernelInstallCmdline
from secboot.kernel.command_line import is_multi_valued
from secboot.layout.layout import LATER_KERNELS, NOT_KNOWN, Layout, NewKernel
from secboot.layout.recognition import RED_HAT, RED_HAT_PLUGIN, RED_HAT_ZIPL_PLUGIN, Tree
from secboot.lines.changes import StorePlan, StoreStatus, edited_store, meets
from secboot.lines.fulfil import fulfil_line, require_length
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores
from secboot.machine.discovery import RUNNING_LINE
from secboot.machine.sources import Sources
from secboot.machine.zipl_conf_file import ZIPL_CONF_PATHS
from secboot.visible import visible
from secboot.zipl.configuration import ConfFile
from secboot.zipl.entry import Origin
from secboot.zipl.scan import EntryKind
from secboot.zipl.version import BlsOrder

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine, Parameter
    from secboot.layout.first import FirstAsked, FirstFiles
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import Profile

ZIPL_CONF = "[defaultboot]\ndefaultauto\nprompt=1\ntimeout=5\ntarget=/boot\n"
"""The file that anaconda (pyanaconda, bootloader/zipl.py) and osbuild (org.osbuild.zipl) write."""
_STORE = Store(StoreKind.LAYOUT_FILE, KERNEL_CMDLINE)
_NOT_INHERITED = frozenset({"initrd", "BOOT_IMAGE"})
"""What 20-zipl-kernel.install omits from the running command line."""
_COMMENTS = (
    f"{KERNEL_CMDLINE} contains only comments, which the programs that read it do not know: their"
    " words become the parameters of a new kernel, which then does not find its root file system"
)


_NO_CMDLINE = Finding(
    "no-kernel-cmdline",
    Severity.WARNING,
    f"{KERNEL_CMDLINE} is missing, and {FSTAB} does not name the device of the root file system:"
    " new kernels inherit the line of the machine that installs them",
    Location(KERNEL_CMDLINE),
    "write the line, including root=, into the file, then apply the profile again",
)


class RedHat(Layout):
    """Entries and /etc/kernel/cmdline are edited; zipl commits the entries."""

    adds_bls_entries = True
    name = RED_HAT
    description = "BLS entries and zipl.conf"
    sources = Sources(reads={KERNEL_CMDLINE: KernelInstallCmdline.parse}, later_kernels=True)

    def __init__(self, tree: Tree, seen: tuple[str, ...]) -> None:
        """Sort entries as Red Hat's zipl does, if its s390utils is installed.

        Other systems also have BLS entries, for example from kiwi, and read them with upstream's zipl.
        """
        super().__init__(seen)
        theirs = tree.exists(RED_HAT_PLUGIN) or tree.is_like("rhel", "fedora", "centos") is not None
        if theirs:
            self.sources = self.sources._replace(order=BlsOrder.RED_HAT)
        if tree.exists(RED_HAT_PLUGIN):
            # Only an installer writes zipl.conf, and entries are written before it.
            conf = ConfFile(ZIPL_CONF_PATHS[1], ZIPL_CONF)
            self.sources = self.sources._replace(otherwise=conf)
        self._os_release = tree.os_release
        self._writes_entries = theirs or not tree.os_release.get("ID")
        """Whether Red Hat's plug-in writes the entry of a new kernel: not in kiwi's images of SUSE."""
        self._overridden = _overridden(tree)
        link = tree.link_target(KERNEL_CMDLINE) or ""
        leads_to = posixpath.normpath(posixpath.join("/etc/kernel", link)).replace("//", "/")
        self._not_a_store = leads_to if _KERNELS_OWN.match(leads_to) else None
        """Where a link leads that is not to a file of the system: to the running line, for example."""
        if self._not_a_store is not None:
            self.sources = self.sources._replace(reads={})

    def first_configuration(self, machine: Machine, asked: FirstAsked) -> FirstFiles:
        """Return an automatic menu, and an entry for each kernel."""
        from secboot.layout.first_bls import first_bls  # noqa: PLC0415 - for one verb

        if self._not_a_store is not None:
            message = f"{_link_to(self._not_a_store)}: the line of new kernels can't be written"
            raise RefusedError(message, hint="remove the link")
        return first_bls(machine, asked, KERNEL_CMDLINE, self._os_release)

    def needs_commit(self, path: str) -> bool:
        """A file that is only read when a kernel is installed does not require a program run."""
        return path != KERNEL_CMDLINE and super().needs_commit(path)

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """Return the file's line, or if it has no words, the line of the installing system."""
        if not self._writes_entries:
            return NewKernel(NOT_KNOWN)
        if self._not_a_store is not None:
            return _of_link(self._not_a_store, machine, stores, self._overridden)
        document = machine.document(KERNEL_CMDLINE, KernelInstallCmdline)
        if document is None or not document.render().split():
            found = _running_line(machine, stores, "missing" if document is None else "empty")
            if document is None and found.line is None and _root_parameters(machine) is not None:
                # The line of the build host has another root, and an apply would write the file.
                where = Location(KERNEL_CMDLINE)
                found = found._replace(location=where, obstacle=found.description)
            return found._replace(doubt=self._overridden or found.doubt)
        description = f"new kernels take their parameters from {KERNEL_CMDLINE}"
        if not document.words:
            where = Location(KERNEL_CMDLINE)
            return NewKernel(description, location=where, obstacle=_COMMENTS)
        words = stores.text(_STORE) if _STORE in stores else document.words
        doubt = _doubt(machine, stores, words, KERNEL_CMDLINE) or _default_stays(machine)
        doubt = self._overridden or doubt
        return NewKernel(description, words, _location(document), doubt=doubt)

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Update the words of the file to match the profile, unless that is for other entries."""
        document = machine.document(KERNEL_CMDLINE, KernelInstallCmdline)
        if document is None and machine.awaits_kernel and self._not_a_store is None:
            return self._first_line(profile, machine, stores)
        if document is None or not document.words:
            return super().plan_stores(profile, machine, stores)
        stores.add(_STORE, document.words, document.parameters)
        location, text, before = _location(document), document.words, document.parameters
        if profile.entries.include:
            note = "the profile names its boot entries, which do not include those of new kernels"
            status, met = StoreStatus.NOT_SELECTED, meets(profile, before)
            return (StorePlan(LATER_KERNELS, location, status, note, met, (), text, text),)
        line = ParameterLine(LATER_KERNELS, location, (_STORE,), lambda: stores.text(_STORE) or "")
        fulfil_line(stores, line, profile.requirements)
        after = stores.line(line.joined())
        if after.text != before.text:
            require_length(LATER_KERNELS, location, " ".join(after.text.split()))
        plan = edited_store(profile, LATER_KERNELS, location, before, after)
        doubt = _doubt(machine, stores, after.text, KERNEL_CMDLINE) or _default_stays(machine)
        if not self._writes_entries or doubt or self._overridden:
            plan = plan._replace(met=None)
        return (plan,)

    def _first_line(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Write the file in an image that has no kernel yet, if the root file system is known.

        Without ``root=`` in the file, the kernel would not boot; without the file, it gets the line
        of the machine that builds the image.
        """
        root = _root_parameters(machine)
        if root is None or profile.entries.include:
            return super().plan_stores(profile, machine, stores)
        stores.add(_STORE, None)
        stores.set_line(_STORE, stores.line(root))
        location = Location(KERNEL_CMDLINE)
        line = ParameterLine(LATER_KERNELS, location, (_STORE,), lambda: stores.text(_STORE) or "")
        fulfil_line(stores, line, profile.requirements)
        after = stores.line(line.joined())
        plan = edited_store(profile, LATER_KERNELS, location, stores.line(""), after)
        return (plan._replace(note=f"a new file, with {root} from {FSTAB}"),)

    def warnings(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Finding, ...]:
        """Warn about problems in /etc/kernel/cmdline, whether or not it must change."""
        del profile
        if self._not_a_store is not None:
            message = f"{_link_to(self._not_a_store)}, which secboot does not edit"
            return (_warning("no-kernel-cmdline", message, Location(KERNEL_CMDLINE), _REPLACE),)
        document = machine.document(KERNEL_CMDLINE, KernelInstallCmdline)
        if document is None and machine.awaits_kernel and _STORE not in stores:
            return (_NO_CMDLINE,)
        if document is None:
            return ()
        if not document.words or not self._writes_entries:
            return document.problems
        found = list(document.problems)
        line, place = document.parameters, _location(document)
        for why, hint in (
            (_other_root(machine, stores, line, KERNEL_CMDLINE), _CORRECT),
            (_lacks(machine, stores, line, KERNEL_CMDLINE), _ADD),
        ):
            if why is not None:
                found.insert(0, _warning("kernel-cmdline-lacks", why, place, hint))
        stays, default = _default_stays(machine), machine.configuration.default
        if stays is not None and default is not None:
            hint = "remove the section, unless you want it to remain the default"
            found.append(_warning("default-stays", stays, default.location, hint))
        return tuple(found)


_KERNELS_OWN = re.compile("/(?:proc|sys|dev)/")
_REPLACE = (
    "replace the link with a file that has the line, including root=, then apply the profile again"
)


def _link_to(target: str) -> str:
    return f"{KERNEL_CMDLINE} is a link to {visible(target)}"


def _of_link(target: str, machine: Machine, stores: Stores, overridden: str | None) -> NewKernel:
    """What a new kernel gets from a link into /proc, /sys or /dev, which is not a file to edit."""
    if target not in {RUNNING_LINE, "/dev/null"}:
        return NewKernel(f"{_link_to(target)}: unknown what new kernels get from it")
    found = _running_line(machine, stores, f"a link to {target}")
    return found._replace(doubt=overridden or found.doubt, remedy=_REPLACE)


def _root_parameters(machine: Machine) -> str | None:
    """What finds the root file system in a tree without a kernel, as /etc/fstab says; None if unknown."""
    fstab = machine.document(FSTAB, Fstab) if machine.awaits_kernel else None
    return None if fstab is None else fstab.root_parameters()


_BEFORE_THE_PACKAGES = ("/etc", "/run", "/usr/local/lib")
"""Where a file precedes a plug-in of the same name in /usr/lib (kernel-install(8)).

Releases before 255 only read /etc and /usr/lib.
"""


def _overridden(tree: Tree) -> str | None:
    """Say that one of Red Hat's plug-ins is replaced, masked or not executable (kernel-install(8))."""
    for plugin, what in (
        (RED_HAT_PLUGIN, "writes the entry of a new kernel"),
        (RED_HAT_ZIPL_PLUGIN, "runs zipl for a new kernel"),
    ):
        for directory in _BEFORE_THE_PACKAGES:
            own = plugin.replace("/usr/lib", directory)
            masks = tree.link_target(own) == "/dev/null"
            if masks or tree.exists(own):
                verb = "replaces" if not masks and tree.is_program(own) else "masks"
                return f"{own} {verb} the plug-in that {what}"
        if tree.exists(plugin) and not tree.is_program(plugin):
            return f"{plugin}, which {what}, is not executable"
    return None


_ADD = "add these words to the file, unless future kernels do not need them"
_CORRECT = "correct the file, unless future kernels have another root file system"
_FINDS_ROOT = (
    r"(?ai:root|boot|rootflags|rootfstype|netroot|ip|ifname|nameserver|vlan|bond|bridge|team|dasd"
    r"|luks\..+|rd[._](?:dasd|zfcp|znet|zdev|cio_accept|lvm|luks|md|dm|iscsi|nvmf|neednet)(?:[._].+)?)"
)
"""Parameters that find the root file system, or the disks and networks that it is on
(dracut.cmdline(7), 95zdev of s390-tools; ``boot`` is for ``fips=1``, ``rd_DASD`` and similar are
from RHEL 6)."""


def _doubt(machine: Machine, stores: Stores, words: str | None, where: str) -> str | None:
    """Say why it is unknown whether a new kernel finds its root file system with these words."""
    line = stores.line(words)
    return _lacks(machine, stores, line, where) or _other_root(machine, stores, line, where)


def _lacks(machine: Machine, stores: Stores, line: CommandLine, where: str) -> str | None:
    """Name the words that all boot entries have and that a new kernel would lack."""
    if machine.awaits_kernel and not line.named("root"):
        return f"{where} has no root=, so a kernel does not find its root file system"
    lacking = _lacking(machine, stores, line)
    if not lacking:
        return None
    listed = " ".join(lacking)
    return f"{where} lacks {listed}, with which every boot entry finds its root file system"


def _other_root(machine: Machine, stores: Stores, line: CommandLine, where: str) -> str | None:
    """Say that all boot entries have another root: the line of a rescue system, or of a clone.

    Two names of different kinds, such as a UUID and a path, can be those of one device.
    """
    own = _root(line)
    others = {_root(stores.line(text)) for text in _normal_lines(machine)}
    if own is None or len(others) != 1 or own in others:
        return None
    other = others.pop()
    if other is None or _kind_of_name(own) != _kind_of_name(other):
        return None
    return f"{where} has root={own}, while every boot entry has root={other}"


def _root(line: CommandLine) -> str | None:
    """The effective value of ``root=``: the last one."""
    return next((each.value for each in reversed(line.named("root"))), None)


def _kind_of_name(device: str) -> str:
    """``UUID`` and similar, or the directory of a path."""
    return device.rpartition("/")[0] if device.startswith("/") else device.partition("=")[0]


def _warning(code: str, message: str, location: Location, hint: str) -> Finding:
    return Finding(code, Severity.WARNING, message, location, hint)


def _default_stays(machine: Machine) -> str | None:
    """Say that a section of zipl.conf precedes all BLS entries, including those of new kernels."""
    default = machine.configuration.default
    if default is None or default.origin is Origin.BLS:
        return None
    return (
        f"new kernels are not the default: section '{visible(default.name)}' of zipl.conf precedes"
        " their entries"
    )


def _lacking(machine: Machine, stores: Stores, line: CommandLine) -> tuple[str, ...]:
    """The missing words that find the root; each word of a multi-valued parameter is separate."""
    lines = _normal_lines(machine)
    held = [{_identity(each) for each in stores.line(text).parameters} for text in lines]
    common = set.intersection(*held) if held else set()
    missing = common - {_identity(parameter) for parameter in line.parameters}
    first = stores.line(lines[0]) if lines else line
    found = (each for each in first.parameters if _identity(each) in missing)
    return tuple(each.text for each in found if _finds_root(each))


def _normal_lines(machine: Machine) -> tuple[str | None, ...]:
    """The different lines of the boot entries; those of rescue entries if there are no others."""
    installed = [
        entry
        for entry in machine.configuration.entries
        if entry.kind is EntryKind.IPL and not entry.kdump and machine.secure_image(entry) is None
        if entry.parmline is not None or entry.parmfile is None
    ]
    normal = [entry for entry in installed if not entry.is_rescue] or installed
    return tuple(dict.fromkeys(entry.parmline for entry in normal))


def _identity(parameter: Parameter) -> str:
    return parameter.text if is_multi_valued(parameter.name) else parameter.name


def _finds_root(parameter: Parameter) -> bool:
    """Whether a parameter finds the root and is not switched off (``rd.lvm=0``)."""
    off = parameter.value in {"0", "no"}
    return re.fullmatch(_FINDS_ROOT, parameter.name) is not None and not off


def _location(document: KernelInstallCmdline) -> Location:
    return Location(KERNEL_CMDLINE, document.line)


def _running_line(machine: Machine, stores: Stores, what: str) -> NewKernel:
    description = (
        f"{KERNEL_CMDLINE} is {what}: new kernels inherit the line of the system that installs"
        " them (/proc/cmdline)"
    )
    if machine.running_line is None:
        description += ", in an image build that of the build host"
        return NewKernel(description)
    line = stores.line(machine.running_line)
    kept = line.remove(*(each for each in line.parameters if each.name in _NOT_INHERITED))
    remedy = f"reboot into the corrected entry, or write {KERNEL_CMDLINE}"
    doubt = _doubt(machine, stores, kept.text, "that line") or _default_stays(machine)
    return NewKernel(description, kept.text, doubt=doubt, remedy=remedy)
