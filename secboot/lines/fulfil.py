"""Bring one parameter line to what a profile requires, store by store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.encoding import require_editable
from secboot.lines.variables import fulfil_variables, sites_of

if TYPE_CHECKING:
    from secboot.lines.draft import Draft, Store, Subject
    from secboot.profile.requirement import Requirement


def fulfil_line(draft: Draft, subject: Subject, requirements: tuple[Requirement, ...]) -> None:
    """Change the draft so that the line meets every requirement, at every site of the environment.

    The line is judged as a whole, as the kernel gets it; a requirement that is met leaves every
    store alone. Raises RefusedError where editing can't meet one, naming the line.
    """
    for requirement in requirements:
        try:
            for site in sites_of(draft, subject):
                _fulfil_at(draft, subject, requirement, site)
            for site in sites_of(draft, subject):
                _require_met(draft, subject, requirement, site)
        except RefusedError as error:
            raise RefusedError(
                f"'{subject.name}' can't be changed: {error.message}",
                location=error.location or subject.location,
                hint=error.hint,
            ) from error


def line_at(draft: Draft, subject: Subject, site: str | None) -> CommandLine:
    """Return the line as planned so far, as the kernel gets it at a site."""
    line = subject.joined()
    return CommandLine.parse(draft.environment.expand(line, site) if subject.expands else line)


def _fulfil_at(draft: Draft, subject: Subject, requirement: Requirement, site: str | None) -> None:
    line = line_at(draft, subject, site)
    if requirement.judge(line).met:
        return
    require_editable(line)
    if subject.expands:
        fulfil_variables(draft, subject, requirement, site)
    for store in _places(draft, subject.stores, requirement):
        if requirement.judge(line_at(draft, subject, site)).met:
            return
        text = CommandLine.parse(draft.text(store) or "")
        draft.set_text(store, requirement.fulfil(text).render())


def _require_met(
    draft: Draft, subject: Subject, requirement: Requirement, site: str | None
) -> None:
    judgement = requirement.judge(line_at(draft, subject, site))
    if not judgement.met:
        at = "" if site is None else f" at site {site} of the zIPL environment"
        raise RefusedError(
            f"the requirement '{requirement.describe()}' can't be met by editing{at}:"
            f" {judgement.reason}",
            hint="the line is joined from several places; look at each of them",
        )


def _places(draft: Draft, stores: tuple[Store, ...], requirement: Requirement) -> list[Store]:
    """Return the stores to edit, in order: those that name the parameter, else the best to add it.

    A parameter is added to the last store, which is the entry's own, so that a parmfile that
    others share stays as it is; but to the parmfile where the entry has nothing else, or where a
    ``--`` in the parmfile puts everything that follows out of the kernel's sight.
    """
    lines = {store: CommandLine.parse(draft.text(store) or "") for store in stores}
    naming = [store for store in stores if requirement.occurrences(lines[store])]
    first, own = stores[0], stores[-1]
    if first is own:
        return [own]
    only_first = draft.text(own) is None
    best = first if only_first or lines[first].dashdash is not None else own
    return [*naming, *(store for store in (best, first) if store not in naming)]
