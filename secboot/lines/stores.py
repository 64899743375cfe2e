"""The stores of a machine while a plan is made: what each holds now, and what it will hold.

A store is one place in one file that holds parameters: a section's ``parameters=``, a BLS entry's
``options``, a parmfile, or a file of the distribution's own (/etc/kernel/cmdline,
/etc/default/grub). A parameter line is joined from stores, and several lines can share a store. So a
store is edited, and the result is checked on the line. The value of ``${NAME}`` in a line comes from
the zIPL environment, which is edited like a store.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_parameters import (
    NO_ENVIRONMENT,
    ZiplEnvironment,
    join_parameters,
    variables_of,
)
from secboot.named_tuple import NamedTuple
from secboot.zipl.entry import BootEntry, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.machine.boot_files import BootFile
    from secboot.machine.discovery import Machine
    from secboot.profile.requirement import Requirement


class StoreKind(StrEnum):
    """Where in a file the parameters are."""

    PARAMETERS = "parameters="
    OPTIONS = "options"
    PARMFILE = "parmfile"
    LAYOUT_FILE = "a file of the distribution's own"


class Store(NamedTuple):
    """One place that holds parameters.

    `section` is the name of a zipl.conf section or of a variable; otherwise empty.
    """

    kind: StoreKind
    path: str
    section: str = ""


class ParameterLine(NamedTuple):
    """A parameter line that must meet a profile, with its name and location for messages.

    `joined` joins the `stores`, in this order, and returns the line as planned so far. `expands`
    tells whether zipl replaces ``${NAME}`` in it.
    """

    name: str
    location: Location
    stores: tuple[Store, ...]
    joined: Callable[[], str]
    expands: bool = False


class Stores:
    """The texts of all stores, as found and as planned.

    A store that does not exist yet, such as the ``parameters=`` of a section without one, holds
    None; so does a parmfile that cannot be read. Each text is parsed once and changed once, since
    most entries have the same one.
    """

    def __init__(
        self,
        entries: tuple[BootEntry, ...],
        parmfiles: Mapping[str, BootFile],
        environment: ZiplEnvironment = NO_ENVIRONMENT,
    ) -> None:
        """Collect the stores of the entries; the keys of `parmfiles` are the paths in the entries."""
        self._parmfiles = parmfiles
        self._found: dict[Store, str | None] = {}
        for entry in entries:
            self._found[own_store(entry)] = entry.parameters
            store = self._parmfile_store(entry)
            if store is not None and entry.parmfile is not None:
                file = parmfiles.get(entry.parmfile.path)
                self._found[store] = None if file is None else file.text
        self._planned = dict(self._found)
        self._environment_found = environment
        self._lines: dict[str, CommandLine] = {}
        self._fulfilled: dict[tuple[Requirement, str], CommandLine] = {}
        self.environment = environment

    def __contains__(self, store: Store) -> bool:
        """Whether the store is known."""
        return store in self._found

    def add(self, store: Store, text: str | None, line: CommandLine | None = None) -> None:
        """Add a store that belongs to no boot entry; `line` is its text if that was parsed already."""
        self._found[store] = self._planned[store] = text
        if line is not None:
            self._lines[line.text] = line

    def drop(self, store: Store) -> None:
        """Remove a store that was added, but is not a file of the machine."""
        del self._found[store], self._planned[store]

    def text(self, store: Store) -> str | None:
        """Return what the store will hold, as written in the file (a parmfile with its newlines)."""
        return self._planned[store]

    def found(self, store: Store) -> str | None:
        """Return what the store holds now."""
        return self._found[store]

    def line(self, text: str | None) -> CommandLine:
        """Return a text as the kernel reads it; None is read as empty."""
        text = text or ""
        known = self._lines.get(text)
        if known is None:
            known = self._lines[text] = CommandLine.parse(text)
        return known

    def fulfilled(self, requirement: Requirement, text: str | None) -> CommandLine:
        """Return a text changed so that it meets a requirement, if editing can achieve that.

        Raises RefusedError for a line that cannot be edited.
        """
        key = requirement, text or ""
        known = self._fulfilled.get(key)
        if known is None:
            known = self._fulfilled[key] = requirement.fulfil(self.line(text))
        return known

    def set_line(self, store: Store, line: CommandLine) -> None:
        """Plan a new text for the store.

        Raises RefusedError if that would remove a ``${NAME}``: its value is somebody else's decision.
        """
        lost = Counter(variables_of(self._planned[store] or "")) - Counter(variables_of(line.text))
        if lost:
            name = min(lost)
            raise RefusedError(
                f"${{{name}}} would be lost: the zIPL environment has no value for it that could be"
                " changed instead",
                hint=f"write the parameter without ${{{name}}}, or set {name} in /etc/ziplenv",
            )
        self._planned[store] = line.text
        self._lines[line.text] = line

    def set_variable(self, site: str | None, name: str, value: str) -> None:
        """Plan a new value for a variable that has one for exactly this site."""
        key = f"{site or ''}{name}"
        held = dict(self.environment.variables) | {key: value}
        self.environment = ZiplEnvironment(tuple(held.items()))

    @property
    def changed_variables(self) -> tuple[tuple[str | None, str, str], ...]:
        """Site, name and value of every variable whose value will change."""
        before = dict(self._environment_found.variables)
        return tuple(
            (name[0], name[1:], value) if name[0].isdigit() else (None, name, value)
            for name, value in self.environment.variables
            if before.get(name) != value
        )

    def expanded_found(self, line: str, site: str | None = None) -> str:
        """Return a line with the current values of the variables."""
        return self._environment_found.expand(line, site)

    def changes(self) -> dict[Store, str]:
        """Return the stores whose text will change, with the new text."""
        return {
            store: text
            for store, text in self._planned.items()
            if text is not None and text != self._found[store]
        }

    def entry_found(self, entry: BootEntry) -> str | None:
        """Return the entry's parameter line as zipl would install it now."""
        return self._joined(entry, self._found)

    def entry_planned(self, entry: BootEntry) -> str | None:
        """Return the entry's parameter line as zipl would install it after the change."""
        return self._joined(entry, self._planned)

    def line_of(self, entry: BootEntry) -> ParameterLine:
        """Return the entry's line, to be updated to match a profile.

        Raises RefusedError if its parmfile cannot be read: its content is unknown.
        """
        return ParameterLine(
            entry.name,
            entry.location,
            self._stores(entry),
            lambda: self.entry_planned(entry) or "",
            expands=True,
        )

    def _joined(self, entry: BootEntry, texts: Mapping[Store, str | None]) -> str | None:
        store = self._parmfile_store(entry)
        return join_parameters(None if store is None else texts[store], texts[own_store(entry)])

    def _parmfile_store(self, entry: BootEntry) -> Store | None:
        """Entries can name the same file by different paths."""
        if entry.parmfile is None:
            return None
        path = entry.parmfile.path
        file = self._parmfiles.get(path)
        return Store(StoreKind.PARMFILE, path if file is None else file.real_path)

    def _stores(self, entry: BootEntry) -> tuple[Store, ...]:
        """Return the stores that zipl joins for the entry, in its order: the parmfile comes first."""
        own = own_store(entry)
        store = self._parmfile_store(entry)
        if store is None:
            return (own,)
        if self._planned[store] is None:
            raise RefusedError(
                f"cannot read the parmfile {store.path} of '{entry.name}'",
                location=entry.location,
                hint="zipl cannot read it either: create it, or correct its name",
            )
        return (store, own)


def stores_of(machine: Machine) -> Stores:
    """Return the stores of a machine as they were found."""
    configuration = machine.configuration
    environment = configuration.environment or NO_ENVIRONMENT
    return Stores(configuration.entries, machine.parmfiles, environment)


def own_store(entry: BootEntry) -> Store:
    """Return the place for parameters in the entry's own file, even if it does not exist yet."""
    if entry.origin is Origin.BLS:
        return Store(StoreKind.OPTIONS, entry.path)
    return Store(StoreKind.PARAMETERS, entry.path, entry.name)
