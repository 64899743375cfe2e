"""The next IPL starts what was installed, whatever was done to the files since.

zipl really installs a generated machine, its files are changed, and then secboot is run. zipl's
output with -V when it ran is the truth about the record; its output in a dry run on the changed
files is the truth about whether zipl would write the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from secboot.formats.bootmap import Bootmap
from secboot.ipl.boot_record import RecordState, compare
from secboot.ipl.next_ipl import EntryState, NextIpl, next_ipl
from secboot.machine.discovery import discover
from secboot.system.root import Root
from tests.s390x import tally
from tests.s390x.changed_machines import (
    BootFiles,
    Content,
    changed_machines,
    machines,
)
from tests.s390x.generated import BOOT_EXAMPLES, BOOT_ROUNDS, SEED, limited_to, machine_of
from tests.s390x.oracle import MACHINE
from tests.s390x.real_zipl import Cell
from tests.s390x.zipl_output import Verdict
from tests.strategies import Setup, careful_setups, setups

pytestmark = pytest.mark.oracle


@dataclass(frozen=True)
class Installed:
    """A program as zipl wrote it: its line, and the contents of kernel and ramdisk."""

    line: str
    kernel: Content | None
    ramdisk: Content | None
    default: bool


Programs = Mapping[int, Installed]
"""By number; 0 without a menu."""


def content(files: BootFiles, path: str | None) -> Content | None:
    """The content of a file that zipl or an entry names; None for no file."""
    return None if path is None else files.contents.get(path.lstrip("/"))


def size(found: Content | None) -> int:
    """In bytes; 0 for no file, as zipl stores it."""
    return 0 if found is None else len(found.data)


def programs_of(verdict: Verdict, files: BootFiles) -> Programs:
    """zipl's output, with the contents of its files."""
    return {
        entry.number or 0: Installed(
            entry.parmline or "",
            content(files, entry.image),
            content(files, entry.ramdisk),
            entry.default,
        )
        for entry in verdict.entries
    }


def write_changes(cell: Cell, before: BootFiles, after: BootFiles) -> None:
    """Write the files of the changed machine; unchanged files keep their times."""
    old, new = before.texts(), after.texts()
    for path in old.keys() - new.keys():
        (cell.directory / path).unlink()
    for path, content in new.items():
        if old.get(path) != content:
            (cell.directory / path).write_bytes(content)


def read_by_number(bootmap: Bootmap) -> dict[int, tuple[str, int, int, bool]]:
    return {
        max(program.numbers): (
            program.parmline or "",
            program.image_size or 0,
            program.ramdisk_size or 0,
            program.is_default,
        )
        for program in bootmap.programs
    }


def check_choices(found: NextIpl, installed: Programs) -> None:
    """The choices are the programs that zipl wrote, with their lines, and the same default."""
    assert {
        int(choice.loadparm or 0): (choice.line, choice.is_default) for choice in found.choices
    } == {number: (each.line, each.default) for number, each in installed.items()}


def told(state: EntryState, found: NextIpl) -> bool:
    """Whether the entry is reported to differ from the record."""
    if state.choice is None or state.choice.line != state.configured:
        return True
    assert state.entry is not None
    paths = [file.path for file in (state.entry.image, state.entry.ramdisk) if file is not None]
    return any(path in difference for path in paths for difference in found.record.differences)


def check_entries(found: NextIpl, after: BootFiles, installed: Programs) -> None:
    """Changes are reported; a kernel is only claimed if it is the one that is installed."""
    for state in found.entries:
        assert state.entry is not None
        files = (state.entry.image, state.entry.ramdisk)
        kernel, ramdisk = (content(after, file and file.path) for file in files)
        recorded = [(each.line, each.kernel, each.ramdisk) for each in installed.values()]
        if (state.configured, kernel, ramdisk) not in recorded:
            assert told(state, found), state
        if state.choice is not None and state.choice.entry is not None and not told(state, found):
            program = installed[int(state.choice.loadparm or 0)]
            assert (program.line, program.kernel, program.ramdisk) == (
                state.configured,
                kernel,
                ramdisk,
            )


def check_machine(cell: Cell, before: BootFiles, after: BootFiles) -> bool:
    """Install, change, compare; return whether zipl would still write the same record."""
    cell.fill_with(before.texts())
    verdict = cell.install()
    assert verdict.accepted, verdict.output
    installed = programs_of(verdict, before)
    write_changes(cell, before, after)
    with Root(cell.directory) as root:
        machine = discover(root)
    assert machine.bootmap.content is not None
    assert read_by_number(machine.bootmap.content) == {
        number: (each.line, size(each.kernel), size(each.ramdisk), each.default)
        for number, each in installed.items()
    }
    found = next_ipl(machine, compare(machine))
    assert found.record.state is RecordState.READ
    check_choices(found, installed)
    check_entries(found, after, installed)
    return check_currency(cell, found, after, installed)


def check_currency(cell: Cell, found: NextIpl, after: BootFiles, installed: Programs) -> bool:
    """The record is reported as current exactly if zipl's dry run shows the same.

    A file that was rewritten with the same content is an additional reason to run zipl.
    """
    now = cell.dry_run()
    if not now.accepted:
        return False
    same = programs_of(now, after) == installed
    if same:
        assert all("replaced" in each for each in found.record.differences), found.record
    else:
        assert found.record.stale is not None
    return same


@pytest.mark.parametrize("number", range(BOOT_ROUNDS))
def test_what_boots_is_what_was_installed(cell: Cell, number: int) -> None:
    outcomes = {True: 0, False: 0}

    @seed(SEED * BOOT_ROUNDS + number)
    @limited_to(BOOT_EXAMPLES)
    @given(changed_machines())
    def check(machines: tuple[BootFiles, BootFiles]) -> None:
        outcomes[check_machine(cell, *machines)] += 1
        tally.changed(cell.version)

    check()

    assert min(outcomes.values()) > BOOT_EXAMPLES // 20, outcomes


def test_a_record_made_from_options_is_one_choice(cell: Cell) -> None:
    """As image builders do, with the line of an entry, a longer one, or a different one."""
    added = 0

    @seed(SEED)
    @limited_to(BOOT_EXAMPLES)
    @given(machines(), st.data())
    def check(files: BootFiles, data: st.DataObject) -> None:
        nonlocal added
        model = data.draw(st.sampled_from(files.entries))
        line = (model.line or "") + data.draw(st.sampled_from(("", " ignition.firstboot", "x y")))
        cell.fill_with(files.texts())
        options = ["-t", "/boot", "-i", f"/{model.kernel}", "-P", line]
        options += ["-r", f"/{model.ramdisk}"] if model.ramdisk else []
        verdict = cell.install(*options)
        assert verdict.accepted, verdict.output
        installed = {
            0: Installed(
                line, content(files, model.kernel), content(files, model.ramdisk), default=True
            )
        }
        with Root(cell.directory) as root:
            machine = discover(root)
        found = next_ipl(machine, compare(machine))
        check_choices(found, installed)
        check_entries(found, files, installed)
        if len(files.entries) > 1 and files.style != "section":
            assert found.record.from_options
            assert found.choices[0].entry is not None
            if found.choices[0].added:
                added += 1
                assert line.endswith(found.choices[0].added)

    check()

    assert added > BOOT_EXAMPLES // 20


@pytest.mark.parametrize("number", range(BOOT_ROUNDS))
def test_no_text_of_today_changes_what_was_installed(cell: Cell, number: int) -> None:
    """Whatever zipl.conf and the BLS entries contain now, and whether zipl would accept it or not."""
    compared = 0

    @seed(SEED * BOOT_ROUNDS + number)
    @limited_to(BOOT_EXAMPLES)
    @given(careful_setups(), setups(), st.sets(st.sampled_from(("conf", "bls")), min_size=1))
    def check(before: Setup, later: Setup, changed: set[str]) -> None:
        nonlocal compared
        conf = later.conf if "conf" in changed else before.conf
        bls = later.bls if "bls" in changed else before.bls
        found = _after_other_texts(cell, before, Setup(conf, bls))
        compared += found
        if found:
            tally.changed(cell.version)

    check()

    assert compared > BOOT_EXAMPLES // 5


def _after_other_texts(cell: Cell, before: Setup, after: Setup) -> bool:
    """Install one set-up, and compare with the texts of another; False if nothing can be compared."""
    cell.fill_with(machine_of(before))
    verdict = cell.install()
    if not verdict.accepted:
        return False
    for path in machine_of(before).keys() - machine_of(after).keys():
        (cell.directory / path).unlink()
    for path, text in machine_of(after).items():
        if path not in MACHINE:
            target = cell.directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
    with Root(cell.directory) as root:
        machine = discover(root)
    found = next_ipl(machine, compare(machine))
    if not (cell.directory / found.record.path.lstrip("/")).exists():
        # These texts have another target directory, where zipl has not run.
        assert found.record.state is RecordState.MISSING
        assert found.choices == ()
        return False
    assert {
        int(choice.loadparm or 0): (choice.line, choice.is_default) for choice in found.choices
    } == {
        entry.number or 0: (entry.parmline or "" if entry.image else None, entry.default)
        for entry in verdict.entries
    }
    return True
