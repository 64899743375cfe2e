"""Try a change for one IPL, with an additional boot entry: a copy of the default with the planned line.

The default and the number of every other entry do not change. So a LOAD from outside, and anything
that selects by number, starts the same entry as before. The new entry comes last: an automatic menu
has the sections of zipl.conf first and then the BLS entries, in zipl's order; a menu in zipl.conf
numbers each section explicitly. The model of zipl's order decides which name and version sort last,
and the model of zipl reads the new files before anything is planned.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.formats.text import encoded
from secboot.formats.zipl_conf import DEFAULTBOOT, ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.invocation import Invocation
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.named_tuple import NamedTuple
from secboot.plan.foreseen import configuration_with, require_own
from secboot.plan.plan import EntryPlan, EntryStatus, TrialPlan
from secboot.profile.search import invocation_for
from secboot.system.files import FileChange
from secboot.visible import visible
from secboot.zipl.entry import TRIAL_SECTION, TRIAL_TITLE
from secboot.zipl.order import BlsFile, order_bls
from secboot.zipl.refusal import ABOUT_OTHER_FILES
from secboot.zipl.scan import EntryKind
from secboot.zipl.sections import MENU_POSITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.finding import Finding
    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile
    from secboot.running.system import LiveFacts, RebootSettings
    from secboot.zipl.configuration import BootConfiguration
    from secboot.zipl.entry import BootEntry

_NAMES = ("0-secboot-trial", "00-secboot-trial", "~secboot-trial", "~~secboot-trial")
"""File names for the BLS entry: those that upstream zipl sorts last, and those that Red Hat's does."""
_VERSIONS = ("0", "00", "000", "0000", "!")
_DUE = "until zipl has run, the boot record does not have the trial's entry"
_SCSI_POSITIONS = 30
_OURS = frozenset({Keyword.PARAMETERS, Keyword.PARMFILE})
_INSTEAD = "apply the change without --trial; `rollback` undoes it"


class _Added(NamedTuple):
    """The boot files with the new entry: zipl.conf, and the path and text if it is a BLS entry."""

    conf: ZiplConf
    name: str
    bls: tuple[str, str] | None = None


def require_possible(machine: Machine, layout: Layout, profile: Profile) -> None:
    """Raise RefusedError if no change can be tried here, before one is planned."""
    layout.require_editable()
    here = Invocation.on(machine.root)
    found = next((e for e in machine.configuration.entries if e.is_trial), None)
    if found is not None:
        raise RefusedError(
            f"another trial has not ended: '{visible(found.name)}'",
            location=Location(found.path, found.line),
            hint=f"to see its state: {here.command('status')}\n"
            f"to keep the change once it has booted: {here.command('confirm')}\n"
            f"to drop it: {here.command('rollback')}",
        )
    if layout.no_trial is not None:
        raise RefusedError(f"cannot try a change here: {layout.no_trial}", hint=layout.instead)
    if profile.image is not None or machine.secure_guest:
        raise RefusedError(
            "cannot try a change here: the parameter line is inside a Secure Execution image",
            hint="keep the current image in a separate boot entry until the new one has booted",
        )


def plan_trial(
    base: Plan,
    profile: Profile,
    machine: Machine,
    layout: Layout,
    live: LiveFacts | None,
    *,
    with_zipl: bool,
) -> Plan:
    """Return the plan that tries what `base` does to the default entry.

    `live` is what is known about the running system, None for any other tree, which has no re-IPL
    settings, so the entry is only prepared. Raises RefusedError if the change cannot be tried.
    """
    base.require_applicable()
    default = _default(machine)
    planned = _planned(base, default, invocation_for(profile, machine.root))
    line = planned.line_after or ""
    settings = None if live is None else _settings(live, with_zipl=with_zipl)
    added = _with_entry(machine, default, line)
    number = _number(machine, default, added, line)
    if settings is not None and settings.source.type == "fcp" and number > _SCSI_POSITIONS:
        raise RefusedError(
            f"the boot menu is full: a SCSI disk has at most {_SCSI_POSITIONS} entries",
            hint="remove a boot entry that is no longer needed",
        )
    trial = _trial_plan(machine, added, number, line, default, settings, profile)
    others = tuple(
        each._replace(
            status=each.status
            if each.status is EntryStatus.NOT_LINUX
            else EntryStatus.NOT_SELECTED,
            note="a trial does not change other entries",
            parameters=(),
            line_after=each.line_before,
        )
        for each in base.entries
    )
    path = machine.conf_path if added.bls is None else added.bls[0]
    new = EntryPlan(
        name=added.name,
        location=Location(path),
        kind=EntryKind.IPL.value,
        status=EntryStatus.ADD,
        note=f"number {number} in the boot menu; a copy of the default '{default.name}'",
        default=False,
        rescue=False,
        parameters=planned.parameters,
        line_before=None,
        line_after=line,
    )
    return base._replace(
        entries=(*others, new),
        files=_files(machine, added),
        commands=tuple(c._replace(reason=_DUE) for c in layout.commit),
        stores=(),
        steps=(),
        warnings=(*_kept(base), *_warnings(machine, settings)),
        trial=trial,
    )


def _default(machine: Machine) -> BootEntry:
    default = machine.configuration.default
    if default is None:
        raise RefusedError("a trial copies the default entry, but it is unknown which one that is")
    if machine.is_secure(default):
        raise RefusedError(
            f"the default '{default.name}' is a Secure Execution image: its parameter line is inside",
            hint="keep the current image in a separate boot entry until the new one has booted",
        )
    if default.menu_position is None:
        raise RefusedError(
            "a trial needs a boot menu, but zipl installs only the default here",
            location=Location(default.path, default.line),
            hint=f"for a menu, write defaultauto and target= in [{DEFAULTBOOT}] of"
            f" {machine.conf_path} instead of default=\nor {_INSTEAD}",
        )
    return default


def _planned(base: Plan, default: BootEntry, here: Invocation) -> EntryPlan:
    """Return what the plan does to the default, if a changed parameter line alone can try that."""
    found = next(
        (e for e in base.entries if (e.location.path, e.name) == (default.path, default.name)), None
    )
    if found is None or found.status not in {EntryStatus.CHANGE, EntryStatus.UNCHANGED}:
        why = f" ({found.note})" if found is not None and found.note else ""
        raise RefusedError(
            f"nothing to try: the plan does not change the default '{default.name}'{why}",
            hint=f"see the plan: {here.for_profile('plan')}",
        )
    if found.status is EntryStatus.UNCHANGED:
        raise RefusedError(
            f"nothing to try: the default '{default.name}' already matches the profile",
            hint=f"to change the other entries: {here.for_profile('apply')}",
        )
    if found.line_after == found.line_before:
        raise RefusedError(
            "this change cannot be tried in one entry: it is in /etc/ziplenv, which all entries"
            " share",
            hint=_INSTEAD,
        )
    return found


def _with_entry(machine: Machine, default: BootEntry, line: str) -> _Added:
    conf = machine.configuration.conf
    boot = conf.section(DEFAULTBOOT)
    menu = None if boot is None else boot.value(Keyword.DEFAULTMENU)
    if menu is not None:
        return _in_menu(machine, menu, default, line)
    if len(machine.configuration.to_install) >= MENU_POSITIONS:
        raise _full()
    if any(entry.bls is not None for entry in machine.configuration.entries):
        return _as_bls_entry(machine, default, line)
    require_own(machine)
    conf = conf.with_section(TRIAL_SECTION, _values(machine, default, line))
    return _Added(conf, TRIAL_SECTION)


def _full() -> RefusedError:
    return RefusedError(
        f"the boot menu is full: zipl accepts {MENU_POSITIONS} entries, and a trial needs one more",
        hint="remove a boot entry that is no longer needed",
    )


def _in_menu(machine: Machine, name: str, default: BootEntry, line: str) -> _Added:
    """Add a section, and its number to the menu: the next number, or else the highest free one."""
    require_own(machine)
    conf = machine.configuration.conf
    menu = conf.menu(name)
    if menu is None:
        raise RefusedError(f"menu '{name}' not found", location=Location(machine.conf_path))
    taken = {line.position for line in menu.lines if line.position is not None}
    free = [each for each in range(1, MENU_POSITIONS + 1) if each not in taken]
    if not free:
        raise _full()
    after = max(taken, default=0) + 1
    conf = conf.with_menu_entry(menu, after if after in free else free[-1], TRIAL_SECTION)
    conf = conf.with_section(TRIAL_SECTION, _values(machine, default, line))
    return _Added(conf, TRIAL_SECTION)


def _values(machine: Machine, default: BootEntry, line: str) -> dict[Keyword, str]:
    """Return the keywords of the copy's section: those of the default, except its parameter line."""
    section = machine.configuration.conf.section(default.name)
    found = {} if section is None else {a.keyword: a.value for a in section.assignments}
    values = {
        keyword: value.text
        for keyword, value in found.items()
        if keyword is not None and value is not None and keyword not in _OURS
    }
    return {**values, Keyword.PARAMETERS: line}


def _as_bls_entry(machine: Machine, default: BootEntry, line: str) -> _Added:
    """Add a BLS entry with a name and a version that zipl sorts after all others."""
    title = f"{default.name}{TRIAL_TITLE}"
    present = machine.configuration.bls
    files = [BlsFile(each.path, each.render()) for each in present]
    versions = [each.version for each in present]
    wanted: tuple[str | None, ...] = (None,) if None in versions else _VERSIONS
    for name, version in product(_NAMES, wanted):
        path = f"{BLS_DIRECTORY}/{name}.conf"
        text = _bls_text(default, title, version, line)
        ordered = order_bls([*files, BlsFile(path, text)], machine.zipl_version)
        if ordered[-1].path == path and path not in {each.path for each in present}:
            return _Added(machine.configuration.conf, title, (path, text))
    raise RefusedError(
        "cannot find a name and version for a BLS entry that sorts after all present ones",
        location=Location(present[-1].path),
        hint=_INSTEAD,
    )


def _bls_text(default: BootEntry, title: str, version: str | None, line: str) -> str:
    parts = {"linux": default.image, "initrd": default.ramdisk}
    # As the entry names them: zipl itself resolves a path below its target.
    fields = {key: part.token.text for key, part in parts.items() if part is not None}
    lines = [f"title {title}", *([f"version {version}"] if version else [])]
    lines += [f"{key} {text}" for key, text in fields.items()]
    lines += [f"options {line}"] if line else []
    return "".join(f"{each}\n" for each in lines)


def _number(machine: Machine, default: BootEntry, added: _Added, line: str) -> int:
    """Have zipl's model read the new files; return the number of the entry.

    Raises RefusedError unless the default, and the number and line of every other entry, are the
    same, and the new entry has its line.
    """
    before = machine.configuration
    after = configuration_with(machine, added.conf, (), added.bls)
    problems = {(each.code, each.message) for each in before.problems}
    for problem in after.problems:
        known = (problem.code, problem.message) in problems
        if not known and problem.code not in ABOUT_OTHER_FILES:
            raise RefusedError(f"zipl would refuse the trial's boot entry: {problem.message}")
    new = [each for each in after.to_install if each.entry.name == added.name]
    others = [each for each in after.to_install if each.entry.name != added.name]
    if len(new) != 1 or new[0].position is None or new[0].is_default or new[0].skipped:
        raise RefusedError("zipl would not install the trial's boot entry next to the default")
    if _numbered(before) != [_of(each.entry, each.position, each.is_default) for each in others]:
        raise RefusedError("zipl would change the numbers or lines of other boot entries")
    if _copied(new[0].entry) != (*_copied(default)[:-1], line):
        raise RefusedError(
            f"cannot copy the default '{default.name}': zipl would read the copy differently",
            hint=_INSTEAD,
        )
    return new[0].position


def _numbered(configuration: BootConfiguration) -> list[tuple[object, ...]]:
    return [_of(each.entry, each.position, each.is_default) for each in configuration.to_install]


def _of(entry: BootEntry, position: int | None, is_default: bool) -> tuple[object, ...]:
    return entry.path, entry.name, position, is_default, entry.parmline


def _copied(entry: BootEntry) -> tuple[object, ...]:
    parts = [
        None if each is None else (each.path, each.address) for each in (entry.image, entry.ramdisk)
    ]
    return (*parts, entry.target, entry.kdump, entry.kind, entry.parmline or "")


def _files(machine: Machine, added: _Added) -> tuple[FileChange, ...]:
    if added.bls is not None:
        path, text = added.bls
        return (FileChange(path, path, None, encoded(text)),)
    conf = machine.file(machine.conf_path)
    if conf is None:
        raise RefusedError(f"{machine.conf_path} was not read")
    return (FileChange(conf.path, conf.real_path, conf.data, encoded(added.conf.render())),)


def _settings(live: LiveFacts, *, with_zipl: bool) -> RebootSettings:
    from secboot.plan.trial_reboot import settings_of  # noqa: PLC0415 - of the running system alone

    return settings_of(live, with_zipl=with_zipl)


def _trial_plan(
    machine: Machine,
    added: _Added,
    number: int,
    line: str,
    default: BootEntry,
    settings: RebootSettings | None,
    profile: Profile,
) -> TrialPlan:
    setting, before, after, back = None, "", str(number), []
    if settings is not None:
        from secboot.plan.trial_reboot import command_back, setting_for  # noqa: PLC0415 - as above

        setting, before, after = setting_for(settings, number)
        back.append(command_back(machine, settings, after))
    if added.bls is not None:
        back.append(f"rm {'' if machine.root == '/' else machine.root}{added.bls[0]}")
    else:
        back.append(f"remove [{TRIAL_SECTION}] and its number in the menu from {machine.conf_path}")
    back.append(Invocation.on(machine.root).of_programs((("zipl",),)))
    return TrialPlan(
        entry=added.name,
        number=number,
        line=line,
        default=default.name,
        default_line=default.parmline or "",
        setting=setting,
        before=before,
        after=after,
        back=tuple(back),
        profile=profile.sources[0],
    )


def _warnings(machine: Machine, settings: RebootSettings | None) -> tuple[Finding, ...]:
    if settings is None:
        return ()
    from secboot.plan.trial_reboot import about_loader  # noqa: PLC0415 - as above

    return tuple(about_loader(machine, settings))


def _kept(base: Plan) -> Iterator[Finding]:
    """Yield the plan's warnings about the line, without those about what a reboot selects."""
    for each in base.warnings:
        if not each.code.startswith("reipl-") or each.code == "reipl-text":
            yield each
