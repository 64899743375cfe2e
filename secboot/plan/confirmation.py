"""Make a trial permanent: apply the profile to all that it selects, and remove the trial's entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.text import decoded, encoded
from secboot.formats.zipl_conf import ZiplConf
from secboot.plan.foreseen import configuration_with
from secboot.plan.plan import TRIAL_STANDS, Confirmation, EntryPlan, EntryStatus
from secboot.system.files import FileChange
from secboot.visible import visible
from secboot.zipl.refusal import ABOUT_OTHER_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.zipl.configuration import BootConfiguration
    from secboot.zipl.entry import BootEntry

_DUE = "until zipl has run, the boot record has the old lines and the trial's entry"


def plan_confirmation(
    base: Plan, machine: Machine, layout: Layout, entry: BootEntry, confirmation: Confirmation
) -> Plan:
    """Return the plan that does what `base` does, and also removes the trial's `entry`.

    Raises RefusedError if zipl would not read the result as intended.
    """
    base.require_applicable()
    files, conf = _files(base, machine, entry)
    _require_meant(machine, configuration_with(machine, conf, files), entry)
    rest = tuple(each for each in base.entries if each.name != entry.name)
    gone = EntryPlan(
        name=entry.name,
        location=Location(entry.path, entry.line),
        kind=entry.kind.value,
        status=EntryStatus.REMOVE,
        note=f"the trial of checkpoint {confirmation.checkpoint} has run with this line",
        default=False,
        rescue=False,
        parameters=(),
        line_before=entry.parmline,
        line_after=None,
    )
    return base._replace(
        entries=(*rest, gone),
        files=files,
        commands=tuple(command._replace(reason=_DUE) for command in layout.commit),
        warnings=tuple(_warnings(base, machine, entry)),
        confirms=confirmation,
    )


def _files(
    base: Plan, machine: Machine, entry: BootEntry
) -> tuple[tuple[FileChange, ...], ZiplConf]:
    """Return all file changes, and zipl.conf with them."""
    file = machine.file(entry.path)
    if file is None:
        raise RefusedError(f"{entry.path} was not read")
    change = next((each for each in base.files if each.real_path == file.real_path), None)
    conf_change = next(
        (each for each in base.files if machine.conf_path in {each.path, each.real_path}), None
    )
    conf = machine.configuration.conf
    if conf_change is not None and conf_change.after is not None:
        conf = ZiplConf.parse(decoded(conf_change.after), machine.conf_path)
    if entry.bls is not None:
        return (*base.files, FileChange(file.path, file.real_path, file.data, None)), conf
    conf = conf.without_section(entry.name)
    after = FileChange(file.path, file.real_path, file.data, encoded(conf.render()))
    return (*(each for each in base.files if each is not change), after), conf


def _require_meant(machine: Machine, after: BootConfiguration, entry: BootEntry) -> None:
    before = machine.configuration
    problems = {(each.code, each.message) for each in before.problems}
    for problem in after.problems:
        known = (problem.code, problem.message) in problems
        if not known and problem.code not in ABOUT_OTHER_FILES:
            raise RefusedError(
                f"zipl would refuse the files without the trial's entry: {problem.message}"
            )
    numbers = [
        (each.entry.path, each.entry.name, each.is_default)
        for each in before.to_install
        if each.entry.name != entry.name
    ]
    found = [(each.entry.path, each.entry.name, each.is_default) for each in after.to_install]
    if numbers != found:
        raise RefusedError("zipl would not install the other boot entries as before")


def _warnings(base: Plan, machine: Machine, entry: BootEntry) -> Iterator[Finding]:
    for each in base.warnings:
        if each.code != TRIAL_STANDS and (
            not each.code.startswith("reipl-") or each.code == "reipl-text"
        ):
            yield each
    default = machine.configuration.default
    images = [
        None if each is None or each.image is None else each.image.path for each in (entry, default)
    ]
    if default is not None and images[0] != images[1]:
        message = (
            f"the default '{visible(default.name)}' has a different kernel from the one that was"
            f" tried: {visible(images[1] or 'none')}"
        )
        yield Finding(
            "trial-kernel", Severity.WARNING, message, Location(default.path, default.line)
        )
