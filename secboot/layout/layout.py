"""The common interface of all layouts, which hides the differences between distributions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.invocation import Invocation
from secboot.ipl.boot_record import compare
from secboot.ipl.next_ipl import next_ipl
from secboot.lines.changes import Command, Step, StorePlan, StoreStatus, meets
from secboot.lines.stores import stores_of
from secboot.machine.sources import NO_OTHERS, Unclear
from secboot.named_tuple import NamedTuple
from secboot.profile.declared import DECLARED
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.finding import Finding
    from secboot.ipl.boot_record import BootRecord
    from secboot.ipl.next_ipl import Choice, EntryState, NextIpl
    from secboot.layout.first import FirstAsked, FirstFiles
    from secboot.lines.stores import Stores
    from secboot.machine.discovery import Machine
    from secboot.profile.profile import ImagePaths, Profile
    from secboot.zipl.entry import BootEntry

ZIPL = Command(("zipl",), "this updates the boot record for the next IPL")
LATER_KERNELS = "Future kernels"
NOT_KNOWN = "unknown how this distribution configures new kernels"


class NewKernel(NamedTuple):
    """What a future kernel gets, and a description of where it comes from.

    `line` is None if it is unknown. `obstacle` says why such a kernel can't start at all, whatever
    the line is, and `doubt` why it is unknown whether it can. `remedy` says what to do about it,
    None if the profile must be applied. `repairs` are the programs that do it, to be run on the
    machine in this order.
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

    `sources` are the files to read in addition to zipl's. `commit` are the programs that make the
    next IPL use the files, in order. `seen` is the evidence by which the layout was detected.
    """

    name: str
    description: str
    sources = NO_OTHERS
    commit: tuple[Command, ...] = (ZIPL,)
    not_edited: str | None = None
    """Why boot entries are not edited, if the change must be made with another program."""
    refusal: str | None = None
    """Why nothing can be changed, if it is unknown which system the boot files belong to."""
    hint: str | None = None
    no_trial: str | None = None
    """Why a change can't be tried in a separate boot entry; then `instead` says what to do."""
    instead: str | None = None
    adds_bls_entries: bool = False
    """Whether a new boot entry is a BLS entry; zipl then builds a menu of all of them."""
    builds_image: bool = False
    """Whether the distribution's programs build the Secure Execution image that it boots."""

    first_by: str = "its installer"
    """What writes the first configuration, if secboot does not."""

    def __init__(self, seen: tuple[str, ...] = ()) -> None:
        self.seen = seen

    def about(self, image: ImagePaths | None) -> None:
        """From now on, also read the parmfile of the image that a profile names."""
        self.sources = self.sources._replace(image=image)

    def require_editable(self) -> None:
        """Raise RefusedError if it is unknown which system the boot files belong to."""
        if self.refusal is not None:
            raise RefusedError(self.refusal, hint=self.hint)

    def for_first_configuration(self) -> None:
        """From now on, accept a tree without a configuration."""
        self.sources = self.sources._replace(first=True)

    def first_configuration(self, machine: Machine, asked: FirstAsked) -> FirstFiles:
        """Return the files that make the kernels of a tree without a configuration bootable.

        Raises RefusedError, with what to do, if another program does this or something is missing.
        """
        del asked
        programs = tuple(command.argv for command in self.commit)
        typed = Invocation.on(machine.root).of_programs(programs)
        raise RefusedError(
            f"the first configuration of such a system ({self.description}) comes from"
            f" {self.first_by}, not from secboot",
            hint=typed if self.sources.generated and programs else None,
        )

    @property
    def records(self) -> tuple[Command, ...]:
        """The programs in `commit` that write the boot record."""
        return self.commit

    @abstractmethod
    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """Return what a future kernel gets, given the planned texts."""

    def next_ipl(self, machine: Machine, record: BootRecord, stores: Stores) -> NextIpl:
        """Return what the next IPL can start, given the texts in `stores` as found."""
        del stores
        return next_ipl(machine, record)

    def next_ipl_of(self, machine: Machine) -> NextIpl:
        """Return what the next IPL of a machine can start, given its files as they were read."""
        return self.next_ipl(machine, compare(machine), stores_of(machine))

    def zipl_reads_files(self, machine: Machine) -> bool:
        """Whether zipl makes the next boot record from the files that were found."""
        del machine
        return True

    def plan_stores(
        self, profile: Profile, machine: Machine, stores: Stores
    ) -> tuple[StorePlan, ...]:
        """Update stores other than boot entries to match the profile; called after the entries."""
        return (later_kernels(profile, self.new_kernel(machine, stores), stores),)

    def entry_note(self, machine: Machine, entry: BootEntry, stores: Stores) -> str:
        """Return what a generated entry is and where it comes from; "" for any other entry."""
        del machine, entry, stores
        return ""

    def left_alone(self, state: EntryState) -> str:
        """Return why a generated entry stays as it is, whatever is planned; "" for any other."""
        del state
        return ""

    def needs_commit(self, path: str) -> bool:
        """Whether a change of this file only takes effect after the layout's programs have run."""
        return path != DECLARED

    def due(
        self,
        profile: Profile,
        machine: Machine,
        found: NextIpl,
        stores: Stores,
        changed: tuple[str, ...],
    ) -> tuple[Command, ...]:
        """Return the programs that must run: because files change, or because output is stale.

        Only zipl writes the boot record that the next IPL reads (zipl(8)). The record is stale if
        it is missing or damaged, or if it is not what zipl would write now; if that is unknown, if
        a file that zipl reads is newer (`secboot.ipl.boot_record`).
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
        """Return the programs that regenerate those generated files that do not match the profile.

        The boot record is not included; it is checked by itself.
        """
        del profile, machine, found, stores
        return ()

    def steps(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Step, ...]:
        """Return the steps to do with another program, if secboot edits nothing."""
        del profile, machine, stores
        return ()

    def next_step(
        self, profile: Profile, machine: Machine, stores: Stores, invocation: Invocation
    ) -> str | None:
        """Return the command that makes the files match the profile; None if none is needed."""
        del profile, machine, stores
        return invocation.for_profile("apply")

    def warnings(self, profile: Profile, machine: Machine, stores: Stores) -> tuple[Finding, ...]:
        """Return warnings about the layout's own files."""
        del profile, machine, stores
        return ()


def _spoilt(profile: Profile, found: NextIpl, stores: Stores) -> str | None:
    """Name an entry that meets the profile except for words that only its boot record has."""
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
    """Return whether a future kernel will meet the profile, if no file is edited for it."""
    if new.obstacle is not None:
        return StorePlan(LATER_KERNELS, new.location, StoreStatus.NONE, new.obstacle, met=False)
    if new.line is None:
        return StorePlan(LATER_KERNELS, None, StoreStatus.NONE, new.description, None)
    judgements = [requirement.judge(stores.line(new.line)) for requirement in profile.requirements]
    failed = [judgement for judgement in judgements if not judgement.met]
    note = new.description
    if failed:
        note += f"; this does not meet the profile: {failed[0].reason}"
    elif new.doubt is not None:
        note += f"; but {new.doubt}"
    met = None if new.doubt is not None and not failed else not failed
    line = new.line
    return StorePlan(LATER_KERNELS, new.location, StoreStatus.NONE, note, met, (), line, line)


class UnclearLayout(Layout):
    """A tree whose boot configuration scheme is unknown or uncertain."""

    def __init__(
        self, name: str, description: str, seen: tuple[str, ...], refusal: str, hint: str
    ) -> None:
        super().__init__(seen)
        self.name, self.description = name, description
        self.refusal, self.hint = refusal, hint
        self.sources = self.sources._replace(unclear=Unclear(refusal, hint))

    def new_kernel(self, machine: Machine, stores: Stores) -> NewKernel:
        """Return that it is unknown."""
        del machine, stores
        return NewKernel(NOT_KNOWN)

    def next_step(
        self, profile: Profile, machine: Machine, stores: Stores, invocation: Invocation
    ) -> str:
        """Return the plan command, which says how to name the layout."""
        del profile, machine, stores
        return invocation.for_profile("plan")
