"""The boot entry of the Secure Execution image that a profile names, and the default entry.

A profile that names an image is for a guest that boots it. An entry that is only one more choice
would leave the guest outside Secure Execution. So the entry becomes the default in the same change,
unless the user allows the guest to leave Secure Execution. `default=` is written even if the order of
the entries has the same effect, because the next kernel update adds an entry before it.

zipl refuses everything if the image of an entry is missing (a menu, a BLS entry). So the entry is not
added before the image exists and was built from the current parmfile. The model of zipl reads the new
files before anything is planned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError
from secboot.finding import Finding, Severity
from secboot.formats.kernel_release import release_in_name
from secboot.formats.text import decoded, encoded
from secboot.formats.zipl_conf import DEFAULTBOOT, ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.machine.discovery import BLS_DIRECTORY
from secboot.named_tuple import NamedTuple
from secboot.plan.foreseen import configuration_with, require_own
from secboot.plan.plan import EntryPlan, EntryStatus
from secboot.system.files import FileChange
from secboot.visible import visible
from secboot.zipl.file_facts import PathKind
from secboot.zipl.refusal import ABOUT_OTHER_FILES
from secboot.zipl.scan import TARGET_KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secboot.layout.layout import Layout
    from secboot.machine.discovery import Machine
    from secboot.machine.prepared_image import PreparedImage
    from secboot.zipl.configuration import BootConfiguration
    from secboot.zipl.entry import BootEntry

_NO_RELEASE = "0"
"""The version of an entry whose kernel is unknown, if all other entries have one: without it zipl
would sort all of them by file name."""
_AFTER_BUILD = "the next apply after the build adds its boot entry"
_UNREADABLE = "it gets no boot entry: secboot cannot read whether it is a Secure Execution image"
_OWN_IMAGE = "this system builds its Secure Execution image and its boot entry itself"


class EntryChange(NamedTuple):
    """What happens to boot entries; `files` are all file changes of the plan.

    `added` is the new boot entry. `becomes_default` names the entry that becomes the default. `note`
    says why none of this is planned.
    """

    files: tuple[FileChange, ...]
    added: EntryPlan | None = None
    becomes_default: str | None = None
    note: str = ""
    warnings: tuple[Finding, ...] = ()


class _Texts(NamedTuple):
    """The planned boot files: zipl.conf, and the path and text of a BLS entry that is added."""

    conf: ZiplConf
    name: str
    entry: tuple[str, str] | None = None


def plan_entry(
    machine: Machine,
    layout: Layout,
    prepared: PreparedImage,
    files: tuple[FileChange, ...],
    *,
    is_due: bool,
    allow_unsealed: bool,
) -> EntryChange:
    """Return what makes the machine boot the image, in addition to the changes in `files`.

    An image that `is_due` to be built gets no entry before that. With `allow_unsealed` a plain kernel
    image may stay the default.
    """
    nothing = EntryChange(files)
    entry = next(filter(machine.is_prepared, machine.configuration.entries), None)
    if layout.builds_image:
        return nothing._replace(note=_OWN_IMAGE)
    if entry is None and prepared.secure is None and prepared.output.kind is not PathKind.MISSING:
        return nothing._replace(note=_UNREADABLE)
    if entry is None and is_due:
        return nothing._replace(note=_AFTER_BUILD)
    stays = not allow_unsealed and prepared.secure is not None and leaves(machine)
    if entry is not None and not stays:
        return nothing
    conf_after = _after(files, machine.conf_path)
    conf = machine.configuration.conf
    texts = _Texts(conf if conf_after is None else conf_after, "" if entry is None else entry.name)
    try:
        if entry is None:
            texts = _with_entry(machine, layout, prepared, texts)
        if stays:
            texts = _with_default(texts)
        return _checked(machine, prepared, files, texts, entry, stays=stays)
    except RefusedError as error:
        return nothing._replace(note=f"write the boot entry by hand: {error.message}")


def leaves(machine: Machine) -> bool:
    """Whether the default entry is not known to start in Secure Execution."""
    default = machine.configuration.default
    return default is None or machine.is_secure(default) is not True


def _after(files: tuple[FileChange, ...], path: str) -> ZiplConf | None:
    for change in files:
        if path in {change.path, change.real_path} and change.after is not None:
            return ZiplConf.parse(decoded(change.after), path)
    return None


def _with_entry(machine: Machine, layout: Layout, prepared: PreparedImage, texts: _Texts) -> _Texts:
    """Add a BLS entry if zipl makes a menu of all of them, otherwise a section."""
    boot = texts.conf.section(DEFAULTBOOT)
    if boot is None:
        raise RefusedError(f"{machine.conf_path} has no [{DEFAULTBOOT}]")
    automatic = boot.get(Keyword.DEFAULTAUTO) or boot.get(Keyword.TARGET)
    if layout.adds_bls_entries and automatic is not None:
        return _with_bls_entry(machine, prepared, texts)
    name = _free_name(prepared.paths.output.rpartition("/")[2], _names(machine))
    conf = texts.conf
    menu = boot.value(Keyword.DEFAULTMENU)
    for each in conf.menus:
        if menu in {None, each.name}:
            positions = [line.position or 0 for line in each.lines]
            conf = conf.with_menu_entry(each, max(positions, default=0) + 1, name)
    require_own(machine)
    target = {} if automatic is not None else _target(machine, texts.conf)
    conf = conf.with_section(name, {**target, Keyword.IMAGE: prepared.paths.output})
    return texts._replace(conf=conf, name=name)


def _with_bls_entry(machine: Machine, prepared: PreparedImage, texts: _Texts) -> _Texts:
    output = prepared.paths.output
    base = output.rpartition("/")[2]
    title = _free_name(f"Secure Execution image {base}", _names(machine))
    paths = {entry.path for entry in machine.configuration.bls}
    path = _free_name(f"{BLS_DIRECTORY}/{base}", {each.removesuffix(".conf") for each in paths})
    release = (prepared.secure and prepared.secure.release) or release_in_name(prepared.real_output)
    all_have = all(
        entry.bls is None or entry.bls.version for entry in machine.configuration.entries
    )
    version = release or (_NO_RELEASE if all_have else None)
    lines = [f"title {title}", *([f"version {version}"] if version else []), f"linux {output}"]
    text = "".join(f"{line}\n" for line in lines)
    return texts._replace(name=title, entry=(f"{path}.conf", text))


def _names(machine: Machine) -> set[str]:
    blocks = machine.configuration.conf.blocks
    return {block.name for block in blocks} | {e.name for e in machine.configuration.entries}


def _free_name(name: str, taken: Iterable[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _target(machine: Machine, conf: ZiplConf) -> dict[Keyword, str]:
    """Return where zipl writes the section's files: as for the default, or the first section with it."""
    default = machine.configuration.default
    first = None if default is None else conf.section(default.name)
    for section in (*filter(None, (first,)), *conf.sections):
        found = {word: section.value(word) for word in TARGET_KEYWORDS}
        if found[Keyword.TARGET]:
            return {word: value for word, value in found.items() if value}
    return {Keyword.TARGET: "/boot"}


def _with_default(texts: _Texts) -> _Texts:
    """Make the entry the default, in the way in which this file selects it."""
    conf = texts.conf
    boot = conf.section(DEFAULTBOOT)
    menu = None if boot is None else boot.value(Keyword.DEFAULTMENU)
    if menu is None:
        conf = conf.with_values(Keyword.DEFAULT, {DEFAULTBOOT: texts.name})
        return texts._replace(conf=conf)
    block = conf.menu(menu)
    lines = () if block is None else block.lines
    number = next(
        (line.position for line in lines if line.value and line.value.text == texts.name), None
    )
    if number is None:
        raise RefusedError(f"the menu '{menu}' does not have '{texts.name}'")
    conf = conf.with_values(Keyword.DEFAULT, {menu: str(number)}, in_menus=True)
    return texts._replace(conf=conf)


def _checked(
    machine: Machine,
    prepared: PreparedImage,
    files: tuple[FileChange, ...],
    texts: _Texts,
    entry: BootEntry | None,
    *,
    stays: bool,
) -> EntryChange:
    """Have zipl's model read the new files. Raises RefusedError if the result is not as intended."""
    conf = machine.file(machine.conf_path)
    before = machine.configuration
    changed = texts.conf.render() != before.conf.render()
    if changed:
        require_own(machine)
    after = configuration_with(
        machine, texts.conf, files, texts.entry, {prepared.paths.output: prepared.output}
    )
    problems = {(each.code, each.message) for each in before.problems}
    for problem in after.problems:
        known = (problem.code, problem.message) in problems
        if not known and problem.code not in ABOUT_OTHER_FILES:
            raise RefusedError(f"zipl would refuse it: {problem.message}")
    found = next((each for each in after.entries if each.name == texts.name), None)
    lines = {(e.path, e.name): e.parmline for e in after.entries}
    if found is None or (stays and not found.is_default):
        raise RefusedError(f"zipl would not make '{texts.name}' the default")
    if found.menu_position is None and not found.is_default:
        raise RefusedError(f"zipl would not install '{texts.name}': it installs only the default")
    if any((e.path, e.name) not in lines for e in before.entries):
        raise RefusedError("zipl would drop other boot entries")
    if changed and conf is not None:
        change = FileChange(conf.path, conf.real_path, conf.data, encoded(texts.conf.render()))
        files = (*(each for each in files if each.real_path != conf.real_path), change)
    if texts.entry is not None:
        path, text = texts.entry
        files = (*files, FileChange(path, path, None, encoded(text)))
    return EntryChange(
        files,
        None if entry is not None else _added(found, prepared),
        texts.name if stays else None,
        warnings=(*_new_default(before, after, texts.name), *_renumbered(before, after)),
    )


def _added(entry: BootEntry, prepared: PreparedImage) -> EntryPlan:
    return EntryPlan(
        name=entry.name,
        location=Location(entry.path, entry.line),
        kind=entry.kind.value,
        status=EntryStatus.ADD,
        note=f"boots the Secure Execution image {prepared.paths.output}",
        default=entry.is_default,
        rescue=False,
        parameters=(),
        line_before=None,
        line_after=entry.parmline,
    )


def _new_default(
    before: BootConfiguration, after: BootConfiguration, name: str
) -> Iterator[Finding]:
    """Yield what the next IPL starts after the change, and what it can no longer start."""
    if after.default is None or before.default is None or before.default.name == after.default.name:
        return
    message = f"'{visible(name)}' becomes the default instead of '{visible(before.default.name)}'"
    yield Finding("image-default", Severity.NOTE, message)
    installed = {(each.entry.path, each.entry.name) for each in after.to_install}
    gone = [
        f"'{visible(each.entry.name)}'"
        for each in before.to_install
        if (each.entry.path, each.entry.name) not in installed
    ]
    if gone:
        message = (
            f"zipl installs only the default: if the image does not start, {', '.join(gone)} cannot"
            " be booted instead"
        )
        hint = f"for a menu with both, first write defaultauto and target= in [{DEFAULTBOOT}]"
        yield Finding("image-alone", Severity.WARNING, message, after.default.location, hint)


def _renumbered(before: BootConfiguration, after: BootConfiguration) -> Iterator[Finding]:
    """Yield which menu numbers change: LOADPARM and scripts select entries by number."""
    numbers = {(e.path, e.name): e.menu_position for e in after.entries}
    moved = [
        f"'{visible(e.name)}' from {e.menu_position} to {numbers[e.path, e.name]}"
        for e in before.entries
        if e.menu_position is not None
        and numbers.get((e.path, e.name)) not in {None, e.menu_position}
    ]
    if moved:
        message = (
            f"the boot menu numbers by which LOADPARM selects entries change: {', '.join(moved)}"
        )
        yield Finding("menu-numbers", Severity.WARNING, message)
