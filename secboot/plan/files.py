"""Turn planned parameter texts into new file contents, changing only the bytes that must change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.zipl_line import Keyword
from secboot.plan.draft import StoreKind
from secboot.plan.model import FileChange

if TYPE_CHECKING:
    from secboot.formats.bls_entry import BlsEntry
    from secboot.formats.zipl_conf import ZiplConf
    from secboot.machine.discovery import Machine
    from secboot.plan.draft import Draft, Store


def file_changes(machine: Machine, draft: Draft) -> tuple[FileChange, ...]:
    """Return the files with new content, in the order of the boot entries that they belong to.

    Raises RefusedError where a format has no way to hold a planned text.
    """
    edits: dict[str, dict[Store, str]] = {}
    for store, text in draft.changes().items():
        edits.setdefault(store.path, {})[store] = text
    configuration = machine.configuration
    entries = {document.path: document for document in configuration.bls}
    files = {file.path: file for file in machine.files}
    files.update((file.real_path, file) for file in machine.files)
    changes = []
    for path, wanted in edits.items():
        file = files[path]
        after = _new_text(wanted, configuration.conf, entries).encode("utf-8", "surrogateescape")
        changes.append(FileChange(file.path, file.real_path, file.data, after))
    return tuple(changes)


def _new_text(wanted: dict[Store, str], conf: ZiplConf, entries: dict[str, BlsEntry]) -> str:
    first = next(iter(wanted))
    if first.kind is StoreKind.PARMFILE:
        return wanted[first]
    if first.kind is StoreKind.OPTIONS:
        return entries[first.path].set_options(wanted[first]).render()
    for store, text in wanted.items():
        section = conf.section(store.section)
        if section is not None and section.get(Keyword.PARAMETERS) is not None:
            conf = conf.set_value(store.section, Keyword.PARAMETERS, text)
        else:
            conf = conf.add_value(store.section, Keyword.PARAMETERS, text)
    return conf.render()
