"""Turn the planned texts of stores into file changes; only the bytes that must change do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.digest import digest
from secboot.formats.text import encoded
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZIPLENV, ZiplenvFile
from secboot.lines.stores import Store, StoreKind, Stores
from secboot.plan.plan import InputFile
from secboot.system.files import FileChange

if TYPE_CHECKING:
    from secboot.machine.boot_files import BootFile
    from secboot.machine.discovery import Machine


def file_changes(machine: Machine, stores: Stores) -> tuple[FileChange, ...]:
    """Return the files with new content, in the order of the boot entries that they belong to.

    Only the bytes that must change do, in the documents that were read. Raises RefusedError if a
    format cannot express a planned text.
    """
    edits: dict[str, dict[Store, str]] = {}
    for store, text in stores.changes().items():
        edits.setdefault(store.path, {})[store] = text
    files = {file.path: file for file in machine.files}
    files.update((file.real_path, file) for file in machine.files)
    bls = {entry.path: entry for entry in machine.configuration.bls}
    found = []
    for path, texts in edits.items():
        first, after = next(iter(texts.items()))  # a parmfile holds nothing else
        if first.kind is StoreKind.OPTIONS:
            after = bls[path].set_options(after).render()
        elif first.kind is StoreKind.PARAMETERS:
            values = {store.section: text for store, text in texts.items()}
            conf = machine.configuration.conf
            after = conf.with_values(Keyword.PARAMETERS, values).render()
        elif first.kind is StoreKind.LAYOUT_FILE and path not in machine.documents:
            after = f"{after}\n"
        elif first.kind is StoreKind.LAYOUT_FILE:
            lines = {store.section: stores.line(text) for store, text in texts.items()}
            after = machine.parameter_file(path).with_lines(lines).render()
        found.append(_change(files[path], after) if path in files else _new(machine, path, after))
    if stores.changed_variables:
        found.append(_change(files[ZIPLENV], _edited_environment(machine, stores)))
    return tuple(found)


def _new(machine: Machine, path: str, text: str) -> FileChange:
    """Return a file to create: the parmfile of an image, or a file of a system without a kernel."""
    prepared, bare = machine.prepared, machine.bare
    if bare is not None and path in {*bare.places, *bare.blocked}:
        return FileChange(path, bare.place(path), None, encoded(text))
    if prepared is None or prepared.real_path != path:
        raise LookupError(path)
    return FileChange(prepared.paths.parmfile, path, None, encoded(text))


def _change(file: BootFile, text: str) -> FileChange:
    return FileChange(file.path, file.real_path, file.data, encoded(text))


def _edited_environment(machine: Machine, stores: Stores) -> str:
    document = machine.held(ZIPLENV, ZiplenvFile)
    for site, name, value in stores.changed_variables:
        document = document.set_value(site, name, value)
    return document.render()


def inputs_of(machine: Machine) -> tuple[InputFile, ...]:
    """Return the files that a plan was made from."""
    return tuple(InputFile(file.path, file.real_path, digest(file.data)) for file in machine.files)
