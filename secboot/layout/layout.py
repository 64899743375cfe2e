"""What every way to configure the boot has: the one interface behind which distributions differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.invocation import Invocation
from secboot.ipl.boot_record import compare
from secboot.ipl.next_ipl import next_ipl
from secboot.lines.changes import Command, Step, StorePlan, StoreStatus, meets
from secboot.lines.stores import stores_of
from secboot.machine.sources import NO_OTHERS
from secboot.named_tuple import NamedTuple
from secboot.profile.declared import DECLARED
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.ipl.boot_record import BootRecord
    from secboot.ipl.next_ipl import Choice, NextIpl
    from secboot.layout.first import FirstAsked, FirstFiles
    from secboot.lines.stores import Stores
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import ImagePaths, Profile
    from secboot.zipl.entry import BootEntry

ZIPL = Command(("zipl",), "until then the boot record holds the old lines")
LATER_KERNELS = "Kernels installed later"
NOT_KNOWN = "it is not known how this distribution configures a new kernel"


class NewKernel(NamedTuple):
    """What a kernel gets that is installed tomorrow, and in words from where.

    `line` is None where it is not known. `obstacle` says why such a kernel gets nothing that it
    could start with, whatever the line says, and `doubt` why it is not known whether it does.
    `remedy` is what to do about what is missing, None where it is to apply the profile. `repairs`
    are programs that do it, to be run on the machine one after the other.
    """

    description: str
    line: str | None = None
    location: Location | None = None
    obstacle: str | None = None
    doubt: str | None = None
    remedy: str | None = None
    repairs: tuple[tuple[str, ...], ...] = ()


class Layout(ABC):
    """How boot parameters are managed on one kind of system.

    `sources` are the files to be read besides those that zipl looks for. `commit` are the programs
    that make the next IPL use the files, in order. `seen` are the marks that told the layout.
    """

    name: str
    description: str
    sources = NO_OTHERS
    commit: tuple[Command, ...] = (ZIPL,)
    not_edited: str | None = None
    """Why the boot entries are not edited, where another program has to be told what to do."""
    refusal: str | None = None
    """Why nothing may be changed, since it is not known whose boot files these are."""
    hint: str | None = None
    no_trial: str | None = None
    """Why a change can't be tried in a boot entry of its own; then `instead` is what to do."""
    instead: str | None = None
    adds_bls_entries: bool = False
    """Whether a new boot entry is a BLS entry, where zipl makes a menu of all there are."""
    builds_image: bool = False
    """Whether its programs build the Secure Execution image that it boots."""

    first_by: str = "its installer"
    """What writes the first configuration, where that is not for secboot to do."""

    def __init__(self, seen: tuple[str, ...] = ()) -> None:
        self.seen = seen

    def about(self, image: ImagePaths | None) -> None:
        """Read the parmfile of the image that a profile names, too, from now on."""
        self.sources = self.sources._replace(image=image)

    def require_editable(self) -> None:
        """Raise RefusedError when it is not known whose boot files these are."""
        if self.refusal is not None:
            raise RefusedError(self.refusal, hint=self.hint)

    def for_first_configuration(self) -> None:
        """Take a tree without a configuration from now on."""
        self.sources = self.sources._replace(first=True)

    def first_configuration(self, machine: Machine, asked: FirstAsked) -> FirstFiles:
        """Return the files with which the kernels of a tree can be booted that has none yet.

        Raises RefusedError, with what to do, where that is for others to do or something is missing.
        """
        del asked
        programs = tuple(command.argv for command in self.commit)
        typed = Invocation.on(machine.root).of_programs(programs)
        raise RefusedError(
            f"the first configuration of such a system ({self.description}) is written by"
            f" {self.first_by}, not by secboot",
            hint=typed if self.sources.generated and programs else None,
        )

    @property
    def records(self) -> tuple[Command, ...]:
        """Those of `commit` that write the boot record."""
        return self.commit

    @abstractmethod
    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """Tell what a kernel that is installed tomorrow gets, with the texts as planned."""

    def next_ipl(self, machine: Machine, record: BootRecord, stores: Stores) -> NextIpl:
        """Return what the next IPL can start; the texts of `stores` are those that were found."""
        del stores
        return next_ipl(machine, record)

    def next_ipl_of(self, machine: Machine) -> NextIpl:
        """Return the same of a machine as it was read."""
        return self.next_ipl(machine, compare(machine), stores_of(machine))

    def zipl_reads_files(self, machine: Machine) -> bool:
        """Whether the next boot record is made from the files that were found."""
        del machine
        return True

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Bring what is no boot entry to the profile; to be called when the entries are settled."""
        return (later_kernels(profile, self.new_kernel(machine, stores), stores),)

    def entry_note(self, machine: Machine, entry: BootEntry, stores: Stores) -> str:
        """Say of a generated entry what it is and where it comes from; nothing of any other."""
        del machine, entry, stores
        return ""

    def needs_commit(self, path: str) -> bool:
        """Whether a change of this file counts only when the layout's programs have run."""
        return path != DECLARED

    def due(
        self,
        profile: Profile,
        machine: Machine,
        found: NextIpl,
        stores: Stores,
        changed: tuple[str, ...],
    ) -> tuple[Command, ...]:
        """Return the programs that have to run: after a change of files, or since output is stale.

        The boot record that the next IPL reads is written by zipl alone (zipl(8)); it is stale
        when there is none or a damaged one, when it is not what zipl would write now, or where that
        can't be told, when a file that zipl reads is younger (`secboot.ipl.boot_record`).
        """
        del machine
        if any(map(self.needs_commit, changed)):
            return self.commit
        reason = found.record.stale or _spoilt(profile, found, stores)
        if reason is None:
            return ()
        return tuple(Command(command.argv, reason) for command in self.commit)

    def outdated(
        self, profile: Profile, machine: Machine, found: NextIpl, stores: Stores
    ) -> tuple[Command, ...]:
        """Return what writes those generated files anew that do not hold what the profile asks.

        Besides the boot record, which tells that itself.
        """
        del profile, machine, found, stores
        return ()

    def steps(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Step, ...]:
        """Return what another program has to be told, where secboot edits nothing."""
        del profile, machine, stores
        return ()

    def next_step(
        self, profile: Profile, machine: Machine, stores: Stores, invocation: Invocation
    ) -> str | None:
        """Return what to type so that the files become what the profile asks; None for nothing."""
        del profile, machine, stores
        return invocation.for_profile("apply")

    def warnings(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Finding, ...]:
        """Return what should be known of this layout's own files."""
        del profile, machine, stores
        return ()


def _spoilt(profile: Profile, found: NextIpl, stores: Stores) -> str | None:
    """Say which entry meets the profile, but for words that its record has beyond its line."""
    for choice in found.choices:
        if choice.entry is not None and choice.added and _is_spoilt(profile, choice, stores):
            name = visible(choice.entry.name)
            return f"{choice.location} has '{visible(choice.added)}' added to the line of '{name}'"
    return None


def _is_spoilt(profile: Profile, choice: Choice, stores: Stores) -> bool:
    entry = choice.entry
    if entry is None or not profile.entries.judge(
        entry.name, is_default=entry.is_default, is_rescue=entry.is_rescue
    ):
        return False
    by_files, at_ipl = stores.line(entry.parmline), stores.line(choice.line)
    return meets(profile, by_files) and not meets(profile, at_ipl)


def later_kernels(profile: Profile, new: NewKernel, stores: Stores) -> StorePlan:
    """Tell whether a new kernel will meet the profile, where no file is edited for it."""
    if new.obstacle is not None:
        return StorePlan(LATER_KERNELS, new.location, StoreStatus.NONE, new.obstacle, met=False)
    if new.line is None:
        return StorePlan(LATER_KERNELS, None, StoreStatus.NONE, new.description, None)
    judgements = [requirement.judge(stores.line(new.line)) for requirement in profile.requirements]
    failed = [judgement for judgement in judgements if not judgement.met]
    note = new.description
    if failed:
        note += f"; that does not meet the profile: {failed[0].reason}"
    elif new.doubt is not None:
        note += f"; but {new.doubt}"
    met = None if new.doubt is not None and not failed else not failed
    line = new.line
    return StorePlan(LATER_KERNELS, new.location, StoreStatus.NONE, note, met, (), line, line)


class UnclearLayout(Layout):
    """A tree of which it is not known, or not sure, how it configures the boot."""

    def __init__(
        self, name: str, description: str, seen: tuple[str, ...], refusal: str, hint: str
    ) -> None:
        super().__init__(seen)
        self.name, self.description = name, description
        self.refusal, self.hint = refusal, hint

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """It is not known."""
        del machine, stores
        return NewKernel(NOT_KNOWN)
