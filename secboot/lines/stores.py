"""The stores of a machine while a plan is made: what each holds, and what it will hold.

A store is one place in one file that holds parameters: a section's ``parameters=``, a BLS entry's
``options``, a parmfile, or what a distribution keeps besides (/etc/kernel/cmdline,
/etc/default/grub). A parameter line is joined from stores, and several lines can share one, so an
edit is made to a store and read back through the line. What ``${NAME}`` in a line stands for is in
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
    """Where in a file the parameters stand."""

    PARAMETERS = "parameters="
    OPTIONS = "options"
    PARMFILE = "parmfile"
    LAYOUT_FILE = "a file of the distribution's own"


class Store(NamedTuple):
    """One place that holds parameters.

    `section` is a zipl.conf section's name or a variable's, else empty.
    """

    kind: StoreKind
    path: str
    section: str = ""


class ParameterLine(NamedTuple):
    """A parameter line that is to meet a profile, with its name and place for messages.

    `stores` are joined to it in this order by `joined`, which gives the text as planned so far.
    `expands` says that zipl replaces ``${NAME}`` in it.
    """

    name: str
    location: Location
    stores: tuple[Store, ...]
    joined: Callable[[], str]
    expands: bool = False


class Stores:
    """The texts of all stores, as found and as planned.

    A store that does not exist yet, such as the ``parameters=`` of a section that has none, holds
    None; so does a parmfile that can't be read. Each text is split into parameters once, and
    changed once, since most entries have the same one.
    """

    def __init__(
        self,
        entries: tuple[BootEntry, ...],
        parmfiles: Mapping[str, BootFile],
        environment: ZiplEnvironment = NO_ENVIRONMENT,
    ) -> None:
        """Take in what the entries are made of; `parmfiles` are by the paths that entries use."""
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
        """Whether the store was taken in."""
        return store in self._found

    def add(self, store: Store, text: str | None, line: CommandLine | None = None) -> None:
        """Take in a store that belongs to no boot entry; `line` is its text where that was read."""
        self._found[store] = self._planned[store] = text
        if line is not None:
            self._lines[line.text] = line

    def drop(self, store: Store) -> None:
        """Forget a store that was taken in, and is no file of the machine."""
        del self._found[store], self._planned[store]

    def text(self, store: Store) -> str | None:
        """Return what the store will hold, as written there (a parmfile with its newlines)."""
        return self._planned[store]

    def found(self, store: Store) -> str | None:
        """Return what the store holds now."""
        return self._found[store]

    def line(self, text: str | None) -> CommandLine:
        """Return what the kernel reads in a text; None is an empty one."""
        text = text or ""
        known = self._lines.get(text)
        if known is None:
            known = self._lines[text] = CommandLine.parse(text)
        return known

    def fulfilled(self, requirement: Requirement, text: str | None) -> CommandLine:
        """Return a text changed so that it meets a requirement, if editing can do that.

        Raises RefusedError for a line that can't be edited.
        """
        key = requirement, text or ""
        known = self._fulfilled.get(key)
        if known is None:
            known = self._fulfilled[key] = requirement.fulfil(self.line(text))
        return known

    def set_line(self, store: Store, line: CommandLine) -> None:
        """Plan another text for the store.

        Raises RefusedError when that would take away a ``${NAME}``: what it stands for is somebody
        else's decision.
        """
        lost = Counter(variables_of(self._planned[store] or "")) - Counter(variables_of(line.text))
        if lost:
            name = min(lost)
            raise RefusedError(
                f"${{{name}}} would be lost: the zIPL environment gives no value that could be"
                " changed instead",
                hint=f"write the parameter without ${{{name}}}, or give {name} a value in"
                " /etc/ziplenv",
            )
        self._planned[store] = line.text
        self._lines[line.text] = line

    def set_variable(self, site: str | None, name: str, value: str) -> None:
        """Plan another value for a variable that has one for exactly this site."""
        key = f"{site or ''}{name}"
        held = dict(self.environment.variables) | {key: value}
        self.environment = ZiplEnvironment(tuple(held.items()))

    @property
    def changed_variables(self) -> tuple[tuple[str | None, str, str], ...]:
        """Site, name and value of every variable that will have another value."""
        before = dict(self._environment_found.variables)
        return tuple(
            (name[0], name[1:], value) if name[0].isdigit() else (None, name, value)
            for name, value in self.environment.variables
            if before.get(name) != value
        )

    def expanded_found(self, line: str, site: str | None = None) -> str:
        """Return a line with the variables' values of now."""
        return self._environment_found.expand(line, site)

    def changes(self) -> dict[Store, str]:
        """Return the stores whose text will be another one than was found."""
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
        """Return the entry's line, to be brought to a profile.

        Raises RefusedError when its parmfile can't be read: what that holds is not known.
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
                f"the parmfile {store.path} of '{entry.name}' can't be read",
                location=entry.location,
                hint="zipl could not read it either; create it, or correct its name",
            )
        return (store, own)


def stores_of(machine: Machine) -> Stores:
    """Return the stores of a machine as they were found."""
    configuration = machine.configuration
    environment = configuration.environment or NO_ENVIRONMENT
    return Stores(configuration.entries, machine.parmfiles, environment)


def own_store(entry: BootEntry) -> Store:
    """Return the place in the entry's own file that holds its parameters, or would."""
    if entry.origin is Origin.BLS:
        return Store(StoreKind.OPTIONS, entry.path)
    return Store(StoreKind.PARAMETERS, entry.path, entry.name)
