"""Requirements that hide in the zIPL environment: ``swiotlb=${SW}`` with SW in /etc/ziplenv."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.text import byte_length
from secboot.formats.zipl_environment import variables_of

if TYPE_CHECKING:
    from secboot.lines.draft import Draft, Subject
    from secboot.profile.requirement import Requirement


def sites_of(draft: Draft, subject: Subject) -> tuple[str | None, ...]:
    """Return the sites at which the line can differ; None is an IPL without one.

    Only a site with a value of its own for a variable of the line counts.
    """
    used = variables_of(subject.joined()) if subject.expands else ()
    own = {name for name, _ in draft.environment.variables}
    return (None, *(s for s in draft.environment.sites if any(s + name in own for name in used)))


def longest_form(draft: Draft, subject: Subject) -> str:
    """Return the line as planned, as written or as it is at one of the sites: the longest of them.

    zipl measures what is written, the loader stops where the result would not fit.
    """
    line = subject.joined()
    sites = sites_of(draft, subject)
    forms = [line, *(draft.environment.expand(line, site) for site in sites)]
    return max(forms, key=byte_length)


def fulfil_variables(
    draft: Draft, subject: Subject, requirement: Requirement, site: str | None
) -> None:
    """Change the values of variables whose text is what the requirement is about.

    A value that counts at the site is edited where it stands: with the site, or with the common
    ones. Nothing is done where no variable is involved, or where it has no value.
    """
    for name in dict.fromkeys(variables_of(subject.joined())):
        value = draft.environment.value(name, site)
        if value is None:
            continue
        new = _new_value(subject.joined(), name, value, requirement)
        if new is not None and new != value:
            has_own = site is not None and f"{site}{name}" in dict(draft.environment.variables)
            draft.set_variable(site if has_own else None, name, new)


def _new_value(line: str, name: str, value: str, requirement: Requirement) -> str | None:
    """Return the value with which the requirement is met, None if it is not about this variable."""
    held = CommandLine.parse(value)
    if requirement.occurrences(held):
        return requirement.fulfil(held).render()
    written = f"${{{name}}}"
    for word in CommandLine.parse(line).parameters:
        before, found, after = word.text.partition(written)
        if not found or variables_of(before + after):
            continue
        whole = CommandLine.parse(before + value + after)
        if requirement.occurrences(whole):
            return _middle(requirement.fulfil(whole).render(), before, after)
    return None


def _middle(text: str, before: str, after: str) -> str | None:
    """Return what stands between two texts; None where the words around it had to change, too."""
    if len(text) < len(before + after) or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)]
