"""A change that is tried for one IPL: one more boot entry, a copy of the default with the planned line.

The default and the number of every other entry stay as they are, so that a LOAD from outside, and
whatever chooses by number, starts what it did before. The entry stands last: an automatic menu has
the sections of zipl.conf first and the BLS entries after them, in zipl's order; a menu of zipl.conf
gives each section the number that it says. Which name and version sort last is asked of the model of
zipl's order, and what zipl would make of the new files is asked before anything is planned.
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
"""Of the BLS entry's file: what upstream's zipl sorts last, and what Red Hat's does."""
_VERSIONS = ("0", "00", "000", "0000", "!")
_DUE = "the boot record does not have the entry of the trial until zipl has run"
_SCSI_POSITIONS = 30
_OURS = frozenset({Keyword.PARAMETERS, Keyword.PARMFILE})
_INSTEAD = "apply it without --trial; `rollback` undoes it"


class _Added(NamedTuple):
    """The boot files with the entry: zipl.conf, and a BLS entry's path and text where it is one."""

    conf: ZiplConf
    name: str
    bls: tuple[str, str] | None = None


def require_possible(machine: Machine, layout: Layout, profile: Profile) -> None:
    """Raise RefusedError where no change can be tried, before one is planned."""
    layout.require_editable()
    here = Invocation.on(machine.root)
    found = next((e for e in machine.configuration.entries if e.is_trial), None)
    if found is not None:
        raise RefusedError(
            f"a trial stands already: '{visible(found.name)}'",
            location=Location(found.path, found.line),
            hint=f"see where it stands: {here.command('status')}\n"
            f"make it permanent: {here.command('confirm')}\ndrop it: {here.command('rollback')}",
        )
    if layout.no_trial is not None:
        raise RefusedError(f"a change can't be tried here: {layout.no_trial}", hint=layout.instead)
    if profile.image is not None or machine.secure_guest:
        raise RefusedError(
            "a change can't be tried here: the parameter line is inside a Secure Execution image",
            hint="keep the present image in a boot entry of its own until the new one has booted",
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

    `live` is what is known of the running system, None for any other tree: there the re-IPL setting is
    nobody's, and the entry is only prepared. Raises RefusedError where that can't be done.
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
            f"the boot menu is full: a SCSI disk has no number after {_SCSI_POSITIONS}",
            hint="remove a boot entry that is not needed any more",
        )
    trial = _trial_plan(machine, added, number, line, default, settings, profile)
    others = tuple(
        each._replace(
            status=each.status
            if each.status is EntryStatus.NOT_LINUX
            else EntryStatus.NOT_SELECTED,
            note="a trial leaves it as it is",
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
        note=f"number {number} of the boot menu; a copy of the default '{default.name}'",
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
        raise RefusedError("it is not known which boot entry is the default, which a trial copies")
    if machine.is_secure(default):
        raise RefusedError(
            f"the default '{default.name}' is a Secure Execution image: its line is inside",
            hint="keep the present image in a boot entry of its own until the new one has booted",
        )
    if default.menu_position is None:
        raise RefusedError(
            "there is no boot menu to choose from: zipl installs the default alone",
            location=Location(default.path, default.line),
            hint=f"a menu has both: write defaultauto and target= into [{DEFAULTBOOT}] of"
            f" {machine.conf_path} in the place of default=\nor {_INSTEAD}",
        )
    return default


def _planned(base: Plan, default: BootEntry, here: Invocation) -> EntryPlan:
    """Return what the plan does to the default, if that can be tried by a line of its own."""
    found = next(
        (e for e in base.entries if (e.location.path, e.name) == (default.path, default.name)), None
    )
    if found is None or found.status not in {EntryStatus.CHANGE, EntryStatus.UNCHANGED}:
        why = f" ({found.note})" if found is not None and found.note else ""
        raise RefusedError(
            f"there is nothing to try: the plan leaves the default '{default.name}' alone{why}",
            hint=f"see the plan: {here.for_profile('plan')}",
        )
    if found.status is EntryStatus.UNCHANGED:
        raise RefusedError(
            f"there is nothing to try: the default '{default.name}' has what the profile asks",
            hint=f"bring all else to it: {here.for_profile('apply')}",
        )
    if found.line_after == found.line_before:
        raise RefusedError(
            "this change can't be tried in one entry: it is made in /etc/ziplenv, from which all"
            " entries take it",
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
        f"the boot menu is full: zipl takes {MENU_POSITIONS} entries, and a trial needs one more",
        hint="remove a boot entry that is not needed any more",
    )


def _in_menu(machine: Machine, name: str, default: BootEntry, line: str) -> _Added:
    """Add a section, and its number to the menu: the next one, or the highest that is free."""
    require_own(machine)
    conf = machine.configuration.conf
    menu = conf.menu(name)
    if menu is None:
        raise RefusedError(f"no such menu '{name}'", location=Location(machine.conf_path))
    taken = {line.position for line in menu.lines if line.position is not None}
    free = [each for each in range(1, MENU_POSITIONS + 1) if each not in taken]
    if not free:
        raise _full()
    after = max(taken, default=0) + 1
    conf = conf.with_menu_entry(menu, after if after in free else free[-1], TRIAL_SECTION)
    conf = conf.with_section(TRIAL_SECTION, _values(machine, default, line))
    return _Added(conf, TRIAL_SECTION)


def _values(machine: Machine, default: BootEntry, line: str) -> dict[Keyword, str]:
    """Return what the section of the copy assigns: all that the default's does, but for the line."""
    section = machine.configuration.conf.section(default.name)
    found = {} if section is None else {a.keyword: a.value for a in section.assignments}
    values = {
        keyword: value.text
        for keyword, value in found.items()
        if keyword is not None and value is not None and keyword not in _OURS
    }
    return {**values, Keyword.PARAMETERS: line}


def _as_bls_entry(machine: Machine, default: BootEntry, line: str) -> _Added:
    """Add a BLS entry with a name and a version that zipl sorts behind all others."""
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
        "no name and version of a BLS entry sorts behind those that there are",
        location=Location(present[-1].path),
        hint=_INSTEAD,
    )


def _bls_text(default: BootEntry, title: str, version: str | None, line: str) -> str:
    parts = {"linux": default.image, "initrd": default.ramdisk}
    # As the files name them: zipl finds a path below its target by itself.
    fields = {key: part.token.text for key, part in parts.items() if part is not None}
    lines = [f"title {title}", *([f"version {version}"] if version else [])]
    lines += [f"{key} {text}" for key, text in fields.items()]
    lines += [f"options {line}"] if line else []
    return "".join(f"{each}\n" for each in lines)


def _number(machine: Machine, default: BootEntry, added: _Added, line: str) -> int:
    """Ask zipl's model what it makes of the new files; return the number of the entry.

    Raises RefusedError for anything but: the same default, the same number and line for each other
    entry, and this one with its line.
    """
    before = machine.configuration
    after = configuration_with(machine, added.conf, (), added.bls)
    problems = {(each.code, each.message) for each in before.problems}
    for problem in after.problems:
        known = (problem.code, problem.message) in problems
        if not known and problem.code not in ABOUT_OTHER_FILES:
            raise RefusedError(f"zipl would refuse the boot entry of a trial: {problem.message}")
    new = [each for each in after.to_install if each.entry.name == added.name]
    others = [each for each in after.to_install if each.entry.name != added.name]
    if len(new) != 1 or new[0].position is None or new[0].is_default or new[0].skipped:
        raise RefusedError("zipl would not install the boot entry of a trial beside the default")
    if _numbered(before) != [_of(each.entry, each.position, each.is_default) for each in others]:
        raise RefusedError("zipl would give other boot entries other numbers, or another line")
    if _copied(new[0].entry) != (*_copied(default)[:-1], line):
        raise RefusedError(
            f"the default '{default.name}' can't be copied: zipl would read the copy as something else",
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
    """The warnings of the plan that are about the line, and not about what a reboot chooses."""
    for each in base.warnings:
        if not each.code.startswith("reipl-") or each.code == "reipl-text":
            yield each
