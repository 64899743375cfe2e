"""The parameter lines of a machine while a plan is being made: what each store holds, and will hold.

A store is one place in one file that holds parameters: a section's ``parameters=``, a BLS entry's
``options``, or a parmfile. zipl joins the stores of an entry to one line, and several entries can
share a parmfile, so an edit is made to a store and read back through the entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from secboot.errors import RefusedError
from secboot.formats.parmfile import join_parameters
from secboot.zipl.entry import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secboot.zipl.entry import BootEntry


class Parmfile(Protocol):
    """A parmfile as it was read; entries can name the same file by different paths."""

    @property
    def real_path(self) -> str:
        """Where the file really is, inside the root."""
        ...

    @property
    def text(self) -> str:
        """Its content, newlines and all."""
        ...


class StoreKind(StrEnum):
    """Where in a file the parameters stand."""

    PARAMETERS = "parameters="
    OPTIONS = "options"
    PARMFILE = "parmfile"


@dataclass(frozen=True, slots=True)
class Store:
    """One place that holds parameters; `section` is a zipl.conf section's name, else empty."""

    kind: StoreKind
    path: str
    section: str = ""


class Draft:
    """The texts of all stores, as found and as planned.

    `parmfiles` are found by the paths that entries use. A store that does not exist yet, such as
    the ``parameters=`` of a section that has none, holds None; so does an unreadable parmfile.
    """

    def __init__(self, entries: tuple[BootEntry, ...], parmfiles: Mapping[str, Parmfile]) -> None:
        self._parmfiles = parmfiles
        self._found: dict[Store, str | None] = {}
        for entry in entries:
            self._found[own_store(entry)] = entry.parameters
            store = self._parmfile_store(entry)
            if store is not None and entry.parmfile is not None:
                file = parmfiles.get(entry.parmfile.path)
                self._found[store] = None if file is None else file.text
        self._planned = dict(self._found)

    def text(self, store: Store) -> str | None:
        """Return what the store will hold, as written there (a parmfile with its newlines)."""
        return self._planned[store]

    def set_text(self, store: Store, text: str) -> None:
        """Plan another text for the store."""
        self._planned[store] = text

    def changes(self) -> dict[Store, str]:
        """Return the stores whose text will be another one than was found."""
        return {
            store: text
            for store, text in self._planned.items()
            if text is not None and text != self._found[store]
        }

    def line_found(self, entry: BootEntry) -> str | None:
        """Return the entry's parameter line as zipl would install it now."""
        return self._joined(entry, self._found)

    def line_planned(self, entry: BootEntry) -> str | None:
        """Return the entry's parameter line as zipl would install it after the change."""
        return self._joined(entry, self._planned)

    def _joined(self, entry: BootEntry, texts: Mapping[Store, str | None]) -> str | None:
        store = self._parmfile_store(entry)
        return join_parameters(None if store is None else texts[store], texts[own_store(entry)])

    def _parmfile_store(self, entry: BootEntry) -> Store | None:
        if entry.parmfile is None:
            return None
        path = entry.parmfile.path
        file = self._parmfiles.get(path)
        return Store(StoreKind.PARMFILE, path if file is None else file.real_path)

    def stores(self, entry: BootEntry) -> tuple[Store, ...]:
        """Return the stores that zipl joins for the entry, in its order: the parmfile comes first.

        A parmfile that could not be read is a refusal: what it holds is not known.
        """
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


def own_store(entry: BootEntry) -> Store:
    """Return the place in the entry's own file that holds its parameters, or would."""
    if entry.origin is Origin.BLS:
        return Store(StoreKind.OPTIONS, entry.path)
    return Store(StoreKind.PARAMETERS, entry.path, entry.name)
