"""Turn planned parameter texts into new file contents, changing only the bytes that must change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.bls_entry import BlsEntry
from secboot.formats.grub_default import GrubDefault
from secboot.formats.kernel_install_cmdline import KernelInstallCmdline
from secboot.formats.zipl_line import Keyword
from secboot.formats.ziplenv import ZiplenvFile
from secboot.lines.draft import StoreKind
from secboot.machine.discovery import ZIPLENV
from secboot.plan.model import FileChange

if TYPE_CHECKING:
    from secboot.lines.draft import Draft, Store
    from secboot.machine.boot_files import BootFile
    from secboot.machine.discovery import Machine


def file_changes(machine: Machine, draft: Draft) -> tuple[FileChange, ...]:
    """Return the files with new content, in the order of the boot entries that they belong to.

    Raises RefusedError where a format has no way to hold a planned text.
    """
    edits: dict[str, dict[Store, str]] = {}
    for store, text in draft.changes().items():
        edits.setdefault(store.path, {})[store] = text
    files = {file.path: file for file in machine.files}
    files.update((file.real_path, file) for file in machine.files)
    found = [_change(files[path], _new_text(machine, files[path], w)) for path, w in edits.items()]
    if draft.changed_variables:
        found.append(_change(files[ZIPLENV], _new_environment(files[ZIPLENV], draft)))
    return tuple(found)


def _change(file: BootFile, text: str) -> FileChange:
    after = text.encode("utf-8", "surrogateescape")
    return FileChange(file.path, file.real_path, file.data, after)


def _new_text(machine: Machine, file: BootFile, wanted: dict[Store, str]) -> str:
    first = next(iter(wanted))
    match first.kind:
        case StoreKind.PARMFILE:
            return wanted[first]
        case StoreKind.OPTIONS:
            return BlsEntry.parse(file.text, file.path).set_options(wanted[first]).render()
        case StoreKind.PARAMETERS:
            values = {store.section: text for store, text in wanted.items()}
            return machine.configuration.conf.with_values(Keyword.PARAMETERS, values).render()
        case StoreKind.KERNEL_CMDLINE:
            document = KernelInstallCmdline.parse(file.text, file.path)
            return document.with_words(wanted[first]).render()
        case StoreKind.GRUB_VARIABLE:
            grub = GrubDefault.parse(file.text, file.path)
            for store, text in wanted.items():
                grub = grub.set_value(store.section, text)
            return grub.render()


def _new_environment(file: BootFile, draft: Draft) -> str:
    document = ZiplenvFile.parse(file.text, file.path)
    for site, name, value in draft.changed_variables:
        document = document.set_value(site, name, value)
    return document.render()
