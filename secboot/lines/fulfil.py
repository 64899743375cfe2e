"""Update one parameter line to match a profile, store by store, within its length limit.

A required parameter can be hidden in the zIPL environment: ``swiotlb=${SW}`` with SW in /etc/ziplenv.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.text import byte_length, decoded, encoded
from secboot.formats.zipl_parameters import variables_of
from secboot.kernel.command_line import require_editable

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import CommandLine
    from secboot.lines.stores import ParameterLine, Store, Stores
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry

MENU_SUFFIX_BYTES = len(" BOOT_IMAGE=62")
"""zipl's boot menu adds this to the line (zipl/boot/menu.c, menu_boot)."""
ASSUMED_LIMIT = 4096
"""Bytes, unless the image states a limit: CONFIG_COMMAND_LINE_SIZE as all distributions build it."""


def fulfil_line(stores: Stores, line: ParameterLine, requirements: tuple[Requirement, ...]) -> None:
    """Change the stores so that the line meets every requirement, at every site of the environment.

    The line is judged as a whole, as the kernel receives it; a requirement that is met changes no
    store. Raises RefusedError, naming the line, if editing cannot meet one.
    """
    for requirement in requirements:
        try:
            for site in sites_of(stores, line):
                _fulfil_at(stores, line, requirement, site)
            for site in sites_of(stores, line):
                _require_met(stores, line, requirement, site)
        except RefusedError as error:
            raise RefusedError(
                f"cannot change '{line.name}': {error.message}",
                location=error.location or line.location,
                hint=error.hint,
            ) from error


def sites_of(stores: Stores, line: ParameterLine) -> tuple[str | None, ...]:
    """Return the sites at which the line can differ; None is an IPL without a site.

    Only a site that has its own value for a variable of the line matters.
    """
    used = variables_of(line.joined()) if line.expands else ()
    own = {name for name, _ in stores.environment.variables}
    return (None, *(s for s in stores.environment.sites if any(s + name in own for name in used)))


def _at(stores: Stores, line: ParameterLine, site: str | None) -> CommandLine:
    """Return the line as planned so far, as the kernel receives it at a site."""
    text = line.joined()
    return stores.line(stores.environment.expand(text, site) if line.expands else text)


def _fulfil_at(
    stores: Stores, line: ParameterLine, requirement: Requirement, site: str | None
) -> None:
    before = _at(stores, line, site)
    if requirement.judge(before).met:
        return
    require_editable(before)
    if line.expands:
        _fulfil_variables(stores, line, requirement, site)
    _fulfil_together(stores, line.stores, requirement)
    for store in _places(stores, line.stores, requirement):
        if requirement.judge(_at(stores, line, site)).met:
            return
        stores.set_line(store, stores.fulfilled(requirement, stores.text(store)))


def _fulfil_together(stores: Stores, of_line: tuple[Store, ...], requirement: Requirement) -> None:
    """Change a line of two stores in one piece if both of them contain the parameter."""
    lines = [stores.line(stores.text(store)) for store in of_line]
    if len(lines) != 2 or not all(requirement.occurrences(line) for line in lines):
        return
    first, second = lines
    if first.unterminated_quote:
        return
    from secboot.lines.joined import fulfilled_together  # noqa: PLC0415 - for few lines

    new = fulfilled_together(first, second, requirement, stores)
    for store, text in zip(of_line, new, strict=True):
        stores.set_line(store, stores.line(text))


def _require_met(
    stores: Stores, line: ParameterLine, requirement: Requirement, site: str | None
) -> None:
    judgement = requirement.judge(_at(stores, line, site))
    if not judgement.met:
        at = "" if site is None else f" at site {site} of the zIPL environment"
        raise RefusedError(
            f"editing cannot meet the requirement '{requirement.describe()}'{at}:"
            f" {judgement.reason}",
            hint="the line is joined from several places; check each of them",
        )


def _places(stores: Stores, of_line: tuple[Store, ...], requirement: Requirement) -> list[Store]:
    """Return the stores to edit, in order: those with the parameter, else the best one to add it to.

    A parameter is added to the last store, which is the entry's own, so that a shared parmfile
    does not change. It is added to the parmfile if the entry has no other store, or if a ``--`` in
    the parmfile hides everything that follows from the kernel.
    """
    lines = {store: stores.line(stores.text(store)) for store in of_line}
    naming = [store for store in of_line if requirement.occurrences(lines[store])]
    first, own = of_line[0], of_line[-1]
    if first is own:
        return [own]
    only_first = stores.text(own) is None
    best = first if only_first or lines[first].dashdash is not None else own
    return [*naming, *(store for store in (best, first) if store not in naming)]


def _fulfil_variables(
    stores: Stores, line: ParameterLine, requirement: Requirement, site: str | None
) -> None:
    """Change the values of variables that contain the required parameter or its value.

    The value that applies at the site is edited in place: the site's own, or the common one. Nothing
    changes if no variable is involved, or if it has no value.
    """
    for name in dict.fromkeys(variables_of(line.joined())):
        value = stores.environment.value(name, site)
        if value is None:
            continue
        new = _new_value(stores, line.joined(), name, value, requirement)
        if new is not None and new != value:
            has_own = site is not None and f"{site}{name}" in dict(stores.environment.variables)
            stores.set_variable(site if has_own else None, name, new)


def _new_value(
    stores: Stores, line: str, name: str, value: str, requirement: Requirement
) -> str | None:
    """Return the value that meets the requirement; None if this variable does not affect it."""
    held = stores.line(value)
    if requirement.occurrences(held):
        return stores.fulfilled(requirement, value).text
    written = f"${{{name}}}"
    for word in stores.line(line).parameters:
        before, found, after = word.text.partition(written)
        if not found or variables_of(before + after):
            continue
        whole = stores.line(before + value + after)
        if requirement.occurrences(whole):
            return _middle(stores.fulfilled(requirement, whole.text).text, before, after)
    return None


def _middle(text: str, before: str, after: str) -> str | None:
    """Return what is between two texts; None if the words around it also had to change."""
    if len(text) < len(before + after) or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)]


def require_fits(entry: BootEntry, stores: Stores) -> None:
    """Raise RefusedError if the entry's planned line would be truncated on its way to the kernel.

    zipl checks the length of the written line, and the loader stops if the expanded line does not
    fit, so the longest form decides. The boot menu also adds text.
    """
    line = stores.line_of(entry)
    text = line.joined()
    forms = [text, *(stores.environment.expand(text, site) for site in sites_of(stores, line))]
    reserved = MENU_SUFFIX_BYTES if entry.menu_position is not None else 0
    limit = entry.max_parm_size or ASSUMED_LIMIT
    require_length(entry.name, entry.location, max(forms, key=byte_length), limit, reserved)


def is_met_only_uncut(
    requirements: tuple[Requirement, ...], entry: BootEntry, stores: Stores
) -> bool:
    """Whether a line of exactly the maximum length needs its last byte, which is lost at IPL."""
    text = stores.environment.expand(stores.line_of(entry).joined())
    limit = entry.max_parm_size
    if limit is None or byte_length(text) < limit:
        return False
    cut = stores.line(decoded(encoded(text)[: limit - 1]))
    return not all(requirement.judge(cut).met for requirement in requirements)


SHORTEN = "shorten the line, or exclude the entry (entries: in the profile)"


def require_length(
    name: str,
    location: Location,
    line: str,
    limit: int = ASSUMED_LIMIT,
    reserved: int = 0,
    hint: str = SHORTEN,
) -> None:
    """Raise RefusedError if a planned line would be truncated; `name` is the line's, for messages.

    `limit` is the image's, in bytes, of which `reserved` are for text that is added at an IPL. zipl
    accepts a line of exactly this size, but the NUL then overwrites its last character
    (zipl/src/job.c, check_common_ipl_data; stage3.c).
    """
    size, usable = byte_length(line), limit - 1 - reserved
    if size <= usable:
        return
    room = f"{limit} with the final NUL"
    if reserved:
        room += f", of which the boot menu needs {reserved}"
    raise RefusedError(
        f"the parameter line of '{name}' would be {size} bytes long; at most {usable} bytes fit"
        f" (its kernel accepts {room})",
        location=location,
        hint=hint,
    )
