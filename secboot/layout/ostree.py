"""ostree and bootc (RHEL CoreOS, Fedora CoreOS, image mode): entries are generated per deployment.

ostree keeps the parameters with each deployment, carries them over to the next one, and runs zipl
(ostree, src/libostree/ostree-bootloader-zipl.c). An edit of an entry is lost with the next one, so
nothing is edited, and the steps that do what a profile asks are written out. In a secure guest
ostree seals the options of the newest deployment into an image and records that, so that the same
steps do it there; a zipl that is run by hand would record the deployment as it is, unsealed.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity
from secboot.formats.kernel_arguments import bootc_kargs, kargs_file, machine_config
from secboot.ipl.boot_record import BootRecord, RecordState
from secboot.ipl.next_ipl import Absence, Choice, EntryState, NextIpl
from secboot.layout.layout import Layout, NewKernel, Recognition, Tree, marks
from secboot.lines.changes import Step, StorePlan, meets, wanted_line
from secboot.machine.discovery import BLS_DIRECTORY, Machine
from secboot.machine.image_material import OSTREE_HOST_KEY
from secboot.machine.sources import Sources
from secboot.machine.zipl_conf_file import ZIPL_CONF_PATHS
from secboot.zipl.configuration import ConfFile

if TYPE_CHECKING:
    from secboot.invocation import Invocation
    from secboot.lines.stores import Stores
    from secboot.profile.profile import Profile
    from secboot.zipl.entry import BootEntry


_DEPLOYMENT = re.compile(r"ostree-\d+(?:-.+)?\.conf", re.ASCII)
"""ostree's names of entries (src/libostree/ostree-sysroot-deploy.c)."""
_OPTION = re.compile(r"^options[ \t](?:[^\n]*[ \t])?((?:ostree|composefs)=)", re.MULTILINE)
"""Which deployment is the root: of ostree, or of bootc without it."""
_ENOUGH = 8
_VARIANTS = frozenset({"coreos", "iot"})
"""Variants of which there is no other form (os-release(5), VARIANT_ID)."""


def evidence(tree: Tree) -> tuple[str, ...]:
    """The repository, or what tells that a running system or the root of one comes from it.

    A deployment's own root has no repository: /ostree is a link to /sysroot/ostree, where nothing
    is mounted. Its boot entries tell, and what rpm-ostree or the image's makers write to os-release.
    """
    found = marks(tree, "/ostree/repo", "/run/ostree-booted", "/sysroot/ostree")
    if "/ostree/repo" not in found and tree.link_target("/ostree") is not None:
        found = ("/ostree", *found)
    return (*found, *_entry_marks(tree)[:1], *_release_marks(tree)[:1])


def _entry_marks(tree: Tree) -> tuple[str, ...]:
    """The entry that ostree or bootc wrote, by its name or its options.

    All entries of such a system are deployments, so a few tell.
    """
    named = [name for name in tree.entries if _DEPLOYMENT.fullmatch(name)]
    if named:
        return (f"{BLS_DIRECTORY}/{named[0]}",)
    options = ((name, _OPTION.search(tree.entry_text(name))) for name in tree.entries[:_ENOUGH])
    return tuple(f"{found[1]} in {BLS_DIRECTORY}/{name}" for name, found in options if found)


def _release_marks(tree: Tree) -> tuple[str, ...]:
    """What os-release says of the way a tree was made, which is more than its name."""
    if "OSTREE_VERSION" in tree.os_release:
        return (f"os-release: OSTREE_VERSION={tree.os_release['OSTREE_VERSION']}",)
    variant = tree.os_release.get("VARIANT_ID")
    return (f"os-release: VARIANT_ID={variant}",) if variant in _VARIANTS else ()


class Ostree(Layout):
    """Nothing is edited."""

    name = "ostree"
    description = "ostree deployments"
    sources = Sources(
        generated=True,
        otherwise=ConfFile(ZIPL_CONF_PATHS[2], "[defaultboot]\ndefaultauto\ntarget=/boot\n"),
    )
    commit = ()
    builds_image = True
    not_edited = (
        "the boot entries of an ostree system are generated for each deployment; an edit is lost"
        " with the next one"
    )

    def __init__(self, tree: Tree, seen: tuple[str, ...]) -> None:
        """Which programs are there; the root of the disk itself has none, only deployments have."""
        super().__init__(seen)
        self._bootc = tree.exists("/usr/bin/bootc")
        self._rpm_ostree = tree.exists("/usr/bin/rpm-ostree") or not self._bootc
        self._staged = tree.exists(_STAGED)

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """Ostree keeps its own list; the default entry shows it."""
        del stores
        default = machine.configuration.default
        description = "a new deployment takes over the parameters of the default"
        line = None if default is None else default.parmline
        doubt = _IS_STAGED if self._staged else None
        return NewKernel(description, line, doubt=doubt)

    def next_ipl(self, machine: Machine, record: BootRecord, stores: Stores) -> NextIpl:
        """In a secure guest, the image that ostree made of its newest deployment.

        ostree mounts the partition that holds it only while it writes there, and makes the entries
        those of the new deployment when that has succeeded.
        """
        if not _seals(machine):
            return super().next_ipl(machine, record, stores)
        entries = machine.configuration.entries
        newest = machine.configuration.default or next(iter(entries), None)
        choice = None if newest is None else _sealed_choice(newest)
        return NextIpl(
            BootRecord(_SEALED_RECORD, RecordState.UNKNOWN, unreadable=_NOT_MOUNTED),
            () if choice is None else (choice,),
            tuple(_state(entry, choice if entry is newest else None) for entry in entries),
        )

    def zipl_reads_files(self, machine: Machine) -> bool:
        """In a secure guest zipl is given the Secure Execution image alone."""
        return not _seals(machine)

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """A deployment's entry is all there is."""
        del profile, machine, stores
        return ()

    def entry_note(self, machine: Machine, entry: BootEntry, stores: Stores) -> str:
        """Every entry is one of a deployment."""
        del machine, entry, stores
        return "generated by ostree for each deployment: an edit is lost with the next one"

    def steps(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Step, ...]:
        """The ways to bring the default deployment to the profile; none when it is there.

        bootc's come first where it is there, but it only takes away what it has added itself.
        """
        default = machine.configuration.default
        before = stores.line(None if default is None else default.parmline)
        if meets(profile, before):
            return ()
        after = wanted_line(profile, before, stores)
        old = [parameter.text for parameter in before.parameters]
        new = [parameter.text for parameter in after.parameters]
        removed, added = _without(old, new), _without(new, old)
        here = "on this machine" if machine.running_line is not None else _ELSEWHERE
        steps = []
        if self._bootc:
            own = _own_words(default, stores)
            kept = [*_without(own, removed), *added]
            if (own or kept) and meets(
                profile, stores.line(" ".join([*_without(old, own), *kept]))
            ):
                steps.append(_loader_entries(here, kept))
            elif not self._rpm_ostree:
                steps.append(Step(_REMOVE_FROM_IMAGE, tuple(removed)))
        image = [_kargs_file(profile, added)] if added else []
        rpm_ostree = [_rpm_ostree(here, removed, added)] if self._rpm_ostree else []
        steps += [*image, *rpm_ostree] if self._bootc else [*rpm_ostree, *image]
        return (*steps, *([_machine_config(profile, added)] if added else []))

    def warnings(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Finding, ...]:
        """What the next boot starts, if that is decided already and can't be seen."""
        del profile, machine, stores
        return (Finding("staged", Severity.WARNING, _IS_STAGED),) if self._staged else ()

    def next_step(
        self, profile: Profile, machine: Machine, stores: Stores, invocation: Invocation
    ) -> str | None:
        """The first of the steps that is a command; where none can be run, the plan that shows them.

        None where the default deployment is as it should be: those before it are never changed.
        """
        steps = self.steps(profile, machine, stores)
        if not steps:
            return None
        commands = (step.lines[0] for step in steps if step.argv)
        in_plan = invocation.for_profile("plan")
        return in_plan if machine.running_line is None else next(commands, in_plan)


_SEALED_IMAGE, _SEALED_RECORD = "/sysroot/se/sdboot", "/sysroot/se/bootmap"
_NOT_MOUNTED = (
    f"ostree seals the options of the newest deployment into {_SEALED_IMAGE} and records that; the"
    " partition is not mounted, so that the entry is all there is to see"
)


def _seals(machine: Machine) -> bool:
    """Whether ostree seals here: in a secure guest, or by the host keys in a tree without a record."""
    keys = (each for each in machine.image_material.host_keys if each.startswith(OSTREE_HOST_KEY))
    return machine.secure_guest or (any(keys) and machine.bootmap.missing)


def _state(entry: BootEntry, choice: Choice | None) -> EntryState:
    return EntryState(
        name=entry.name,
        location=entry.location,
        configured=entry.parmline or "",
        choice=choice,
        absence=Absence.OTHER_PROGRAM if choice is None else None,
        number=entry.menu_position,
        is_default=choice is not None,
        is_rescue=entry.is_rescue,
        entry=entry,
        secure=None if choice is None else choice.secure,
    )


def _sealed_choice(entry: BootEntry) -> Choice:
    return Choice(
        title=entry.name,
        line=entry.parmline or "",
        location=Location(_SEALED_IMAGE),
        is_default=True,
        entry=entry,
        kernel=_SEALED_IMAGE,
        secure=True,
        unsure=_NOT_MOUNTED,
    )


_STAGED = "/run/ostree/staged-deployment"
"""What ostree makes entries of when the system goes down (ostree-finalize-staged.service)."""
_IS_STAGED = (
    "a deployment is staged, for example by an upgrade or by one of these steps: a reboot starts it,"
    f" with parameters that are in no boot entry yet ({_STAGED})"
)
_ELSEWHERE = "on the machine, once it runs"
_REMOVE_FROM_IMAGE = (
    "in the image, whose kargs.d files must not have these words (bootc takes away only what it"
    " added itself)"
)


_SOURCE = "secboot"
"""Whose words these are for bootc, which notes that in the entry."""
_NOTED = f"x-options-source-{_SOURCE}"


def _own_words(entry: BootEntry | None, stores: Stores) -> list[str]:
    """The words that bootc added to the entry when it was told by a step like these."""
    lines = () if entry is None or entry.bls is None else entry.bls.lines
    noted = next((line.value for line in lines if line.key == _NOTED), "")
    return [parameter.text for parameter in stores.line(noted).parameters]


def _loader_entries(here: str, words: list[str]) -> Step:
    """The command says all words of the source (bootc-loader-entries-set-options-for-source(8))."""
    options = ("--options", " ".join(words)) if words else ()
    argv = ("bootc", "loader-entries", "set-options-for-source", "--source", _SOURCE, *options)
    return Step(f"{here}, with bootc 1.15.2 and ostree 2026.1 or newer", (shlex.join(argv),), argv)


def _rpm_ostree(here: str, removed: list[str], added: list[str]) -> Step:
    words = [f"--delete={text}" for text in removed]
    argv = ("rpm-ostree", "kargs", *words, *(f"--append-if-missing={text}" for text in added))
    return Step(here, (shlex.join(argv),), argv)


def _kargs_file(profile: Profile, added: list[str]) -> Step:
    title = f"in the image of a bootc system, as {kargs_file(profile.name)}"
    return Step(title, tuple(bootc_kargs(added).splitlines()))


def _machine_config(profile: Profile, added: list[str]) -> Step:
    title = "for the workers of an OpenShift cluster, as a MachineConfig"
    return Step(title, tuple(machine_config(profile.name, added).splitlines()))


def _without(texts: list[str], others: list[str]) -> list[str]:
    """Return what is in the first list more often than in the second, in order."""
    left = list(others)
    found = []
    for text in texts:
        if text in left:
            left.remove(text)
        else:
            found.append(text)
    return found


RECOGNITION = Recognition(Ostree.name, evidence, Ostree, made_of=("bls", "rhel7"))
"""Its systems are made of Red Hat's."""
