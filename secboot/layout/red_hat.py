"""RHEL 8 to 10, Fedora and their kin: BLS entries, and /etc/kernel/cmdline for new kernels.

The entry of a new kernel is written by s390utils' 20-zipl-kernel.install: with the words of
/etc/kernel/cmdline, or if there are none, with those of /proc/cmdline but ``initrd=`` (newer
releases leave out ``BOOT_IMAGE=``, too). 91-zipl.install then runs zipl.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.fstab import FSTAB, Fstab
from secboot.formats.kernel_cmdline import KernelInstallCmdline
from secboot.kernel.command_line import is_multi_valued
from secboot.layout.layout import LATER_KERNELS, NOT_KNOWN, Layout, NewKernel
from secboot.layout.recognition import RED_HAT, RED_HAT_PLUGIN, Tree
from secboot.lines.changes import StorePlan, StoreStatus, edited_store, meets
from secboot.lines.fulfil import fulfil_line, require_length
from secboot.lines.stores import ParameterLine, Store, StoreKind, Stores
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

KERNEL_CMDLINE = "/etc/kernel/cmdline"
ZIPL_CONF = "[defaultboot]\ndefaultauto\nprompt=1\ntimeout=5\ntarget=/boot\n"
"""What anaconda writes (pyanaconda, bootloader/zipl.py), and osbuild (org.osbuild.zipl)."""
_STORE = Store(StoreKind.LAYOUT_FILE, KERNEL_CMDLINE)
_NOT_INHERITED = frozenset({"initrd", "BOOT_IMAGE"})
"""What 20-zipl-kernel.install leaves out of the running line."""
_COMMENTS = (
    f"{KERNEL_CMDLINE} has nothing but comments, which no program that reads it knows: their words"
    " become the parameters of a new kernel, which then has no root file system"
)


_NO_CMDLINE = Finding(
    "no-kernel-cmdline",
    Severity.WARNING,
    f"{KERNEL_CMDLINE} is missing, and {FSTAB} does not say which device the root file system is"
    " on: a new kernel takes over the line of the machine that installs it",
    Location(KERNEL_CMDLINE),
    "write the line into the file, root= and all, then apply the profile again",
)


class RedHat(Layout):
    """Entries and /etc/kernel/cmdline are edited, zipl commits the entries."""

    adds_bls_entries = True
    name = RED_HAT
    description = "BLS entries and zipl.conf"
    sources = Sources(reads={KERNEL_CMDLINE: KernelInstallCmdline.parse}, later_kernels=True)

    def __init__(self, tree: Tree, seen: tuple[str, ...]) -> None:
        """Where their s390utils is, entries are sorted as its zipl sorts them.

        BLS entries are written elsewhere, too, by kiwi for instance, and read by upstream's zipl.
        """
        super().__init__(seen)
        theirs = tree.exists(RED_HAT_PLUGIN) or tree.is_like("rhel", "fedora", "centos") is not None
        if theirs:
            self.sources = self.sources._replace(order=BlsOrder.RED_HAT)
        if tree.exists(RED_HAT_PLUGIN):
            # Nobody else than an installer writes it, and entries are written before.
            conf = ConfFile(ZIPL_CONF_PATHS[1], ZIPL_CONF)
            self.sources = self.sources._replace(otherwise=conf)
        self._os_release = tree.os_release
        self._writes_entries = theirs or not tree.os_release.get("ID")
        """Whether a new kernel gets its entry from their plug-in: not in kiwi's images of SUSE."""

    def first_configuration(self, machine: Machine, asked: FirstAsked) -> FirstFiles:
        """An automatic menu, and an entry for each kernel."""
        from secboot.layout.first_bls import first_bls  # noqa: PLC0415 - for one verb

        return first_bls(machine, asked, KERNEL_CMDLINE, self._os_release)

    def needs_commit(self, path: str) -> bool:
        """What only the installation of a later kernel reads needs no program to run."""
        return path != KERNEL_CMDLINE and super().needs_commit(path)

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """The file, or without words in it the line of whatever system installs the kernel."""
        if not self._writes_entries:
            return NewKernel(NOT_KNOWN)
        document = machine.document(KERNEL_CMDLINE, KernelInstallCmdline)
        if document is None or not document.render().split():
            return _running_line(machine, stores, "missing" if document is None else "empty")
        description = f"a new kernel takes {KERNEL_CMDLINE}"
        if not document.words:
            where = Location(KERNEL_CMDLINE)
            return NewKernel(description, location=where, obstacle=_COMMENTS)
        words = stores.text(_STORE) if _STORE in stores else document.words
        doubt = _doubt(machine, stores, words, KERNEL_CMDLINE) or _default_stays(machine)
        return NewKernel(description, words, _location(document), doubt=doubt)

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Bring the words of the file to the profile, unless that is for other entries."""
        document = machine.document(KERNEL_CMDLINE, KernelInstallCmdline)
        if document is None and machine.awaits_kernel:
            return self._first_line(profile, machine, stores)
        if document is None or not document.words:
            return super().plan_stores(profile, machine, stores)
        stores.add(_STORE, document.words, document.parameters)
        location, text, before = _location(document), document.words, document.parameters
        if profile.entries.include:
            note = "the profile names its boot entries, and a new kernel's is none of them"
            status, met = StoreStatus.NOT_SELECTED, meets(profile, before)
            return (StorePlan(LATER_KERNELS, location, status, note, met, (), text, text),)
        line = ParameterLine(LATER_KERNELS, location, (_STORE,), lambda: stores.text(_STORE) or "")
        fulfil_line(stores, line, profile.requirements)
        after = stores.line(line.joined())
        if after.text != before.text:
            require_length(LATER_KERNELS, location, " ".join(after.text.split()))
        plan = edited_store(profile, LATER_KERNELS, location, before, after)
        doubt = _doubt(machine, stores, after.text, KERNEL_CMDLINE) or _default_stays(machine)
        if not self._writes_entries or doubt:
            plan = plan._replace(met=None)
        return (plan,)

    def _first_line(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Write the file of an image before its kernel, if the root file system is known.

        Without ``root=`` in it a new kernel would not start; without the file it gets the line of
        the machine that builds the image.
        """
        fstab = machine.document(FSTAB, Fstab)
        root = None if fstab is None else fstab.root_parameters()
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
        """What is wrong with /etc/kernel/cmdline, whether or not it has to change."""
        del profile
        document = machine.document(KERNEL_CMDLINE, KernelInstallCmdline)
        if document is None and machine.awaits_kernel and _STORE not in stores:
            return (_NO_CMDLINE,)
        if document is None:
            return ()
        if not document.words or not self._writes_entries:
            return document.problems
        found = list(document.problems)
        lacking = _doubt(machine, stores, document.words, KERNEL_CMDLINE)
        if lacking is not None:
            hint = "add these words to the file, unless later kernels are to do without them"
            place = _location(document)
            found.insert(0, _warning("kernel-cmdline-lacks", lacking, place, hint))
        stays, default = _default_stays(machine), machine.configuration.default
        if stays is not None and default is not None:
            hint = "remove the section, unless it is to start until somebody changes it"
            found.append(_warning("default-stays", stays, default.location, hint))
        return tuple(found)


_FINDS_ROOT = (
    r"(?ai:root|rootflags|rootfstype|netroot|ip|ifname|nameserver|vlan|bond|bridge|team|dasd|luks\..+"
    r"|rd[._](?:dasd|zfcp|znet|zdev|cio_accept|lvm|luks|md|dm|iscsi|nvmf|neednet)(?:[._].+)?)"
)
"""Parameters that find the root file system, or the disks and networks that it is on
(dracut.cmdline(7), s390-tools' 95zdev; ``rd_DASD`` and its like are RHEL 6's)."""


def _doubt(machine: Machine, stores: Stores, words: str | None, where: str) -> str | None:
    """Say which words a new kernel would miss of those that all boot entries have."""
    line = stores.line(words)
    if machine.awaits_kernel and not line.named("root"):
        return f"{where} has no root=, without which a kernel finds no root file system"
    lacking = _lacking(machine, stores, line)
    if not lacking:
        return None
    listed = " ".join(lacking)
    return f"{where} lacks {listed}, which every boot entry has to find its root file system"


def _warning(code: str, message: str, location: Location, hint: str) -> Finding:
    return Finding(code, Severity.WARNING, message, location, hint)


def _default_stays(machine: Machine) -> str | None:
    """Say that a section of zipl.conf comes before all BLS entries, those of new kernels too."""
    default = machine.configuration.default
    if default is None or default.origin is Origin.BLS:
        return None
    return f"a new kernel is not started by default: '{visible(default.name)}' of zipl.conf is"


def _lacking(machine: Machine, stores: Stores, line: CommandLine) -> tuple[str, ...]:
    """Those words of the kind that finds the root; one that adds to others counts by itself."""
    installed = [
        entry
        for entry in machine.configuration.entries
        if entry.kind is EntryKind.IPL and not entry.kdump and machine.secure_image(entry) is None
        if entry.parmline is not None or entry.parmfile is None
    ]
    normal = [entry for entry in installed if not entry.is_rescue] or installed
    lines = {entry.parmline for entry in normal}
    held = [{_identity(each) for each in stores.line(text).parameters} for text in lines]
    common = set.intersection(*held) if held else set()
    missing = common - {_identity(parameter) for parameter in line.parameters}
    first = stores.line(normal[0].parmline) if normal else line
    found = (each for each in first.parameters if _identity(each) in missing)
    return tuple(each.text for each in found if _finds_root(each))


def _identity(parameter: Parameter) -> str:
    return parameter.text if is_multi_valued(parameter.name) else parameter.name


def _finds_root(parameter: Parameter) -> bool:
    """Without a value, or with one that does not switch it off (``rd.lvm=0``)."""
    off = parameter.value in {"0", "no"}
    return re.fullmatch(_FINDS_ROOT, parameter.name) is not None and not off


def _location(document: KernelInstallCmdline) -> Location:
    return Location(KERNEL_CMDLINE, document.line)


def _running_line(machine: Machine, stores: Stores, what: str) -> NewKernel:
    description = (
        f"{KERNEL_CMDLINE} is {what}: a new kernel takes over the line of the system that installs"
        " it (/proc/cmdline)"
    )
    if machine.running_line is None:
        description += ", which in an image build is the build host's"
        return NewKernel(description)
    line = stores.line(machine.running_line)
    kept = line.remove(*(each for each in line.parameters if each.name in _NOT_INHERITED))
    remedy = f"reboot into the corrected entry, or write {KERNEL_CMDLINE}"
    doubt = _doubt(machine, stores, kept.text, "that line") or _default_stays(machine)
    return NewKernel(description, kept.text, doubt=doubt, remedy=remedy)
