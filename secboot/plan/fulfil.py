"""Bring the parameter line of one boot entry to what a profile requires, store by store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.encoding import require_editable

if TYPE_CHECKING:
    from secboot.plan.draft import Draft, Store
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry


def fulfil_entry(draft: Draft, entry: BootEntry, requirements: tuple[Requirement, ...]) -> None:
    """Change the draft so that the entry's line meets every requirement.

    The line is judged as a whole, as the kernel gets it; a requirement that is met leaves every
    store alone. Raises RefusedError where editing can't meet one, naming the entry.
    """
    for requirement in requirements:
        line = CommandLine.parse(draft.line_planned(entry) or "")
        if requirement.judge(line).met:
            continue
        try:
            require_editable(line)
            _fulfil(draft, entry, requirement)
        except RefusedError as error:
            raise RefusedError(
                f"'{entry.name}' can't be changed: {error.message}",
                location=entry.location,
                hint=error.hint,
            ) from error


def _fulfil(draft: Draft, entry: BootEntry, requirement: Requirement) -> None:
    stores = draft.stores(entry)
    for store in _places(draft, stores, requirement):
        line = CommandLine.parse(draft.text(store) or "")
        draft.set_text(store, requirement.fulfil(line).render())
        joined = CommandLine.parse(draft.line_planned(entry) or "")
        judgement = requirement.judge(joined)
        if judgement.met:
            return
    raise RefusedError(
        f"the requirement '{requirement.describe()}' can't be met by editing:"
        f" {requirement.judge(CommandLine.parse(draft.line_planned(entry) or '')).reason}",
        hint="the line is joined from a parmfile and parameters=; look at both",
    )


def _places(draft: Draft, stores: tuple[Store, ...], requirement: Requirement) -> list[Store]:
    """Return the stores to edit, in order: those that name the parameter, else the best to add it.

    A parameter is added to the entry's own store, so that a parmfile that others share stays as
    it is; but to the parmfile where the entry has nothing else, or where a ``--`` in the parmfile
    puts everything that follows out of the kernel's sight.
    """
    lines = {store: CommandLine.parse(draft.text(store) or "") for store in stores}
    naming = [store for store in stores if requirement.occurrences(lines[store])]
    parmfile, own = stores[0], stores[-1]
    if parmfile is own:
        return [own]
    only_parmfile = draft.text(own) is None
    best = parmfile if only_parmfile or lines[parmfile].dashdash is not None else own
    return [*naming, *(store for store in (best, parmfile) if store not in naming)]
