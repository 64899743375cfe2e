"""Compares secboot's interpretation of a boot configuration with that of a real zipl."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from secboot.machine.discovery import discover
from secboot.system.root import Root
from secboot.zipl.configuration import BootConfiguration
from secboot.zipl.job import ABORTS
from tests.s390x import tally
from tests.s390x.real_zipl import Cell, kernel_stub
from tests.s390x.zipl_output import Verdict

MACHINE: dict[str, bytes] = {
    "boot/vmlinuz": kernel_stub(4096),
    "boot/vmlinuz.old": kernel_stub(0),
    "vmlinuz": kernel_stub(1024),
    "boot/initrd.img": b"r" * 5000,
    "initrd.img": b"r" * 5000,
    "boot/parmfile": b"from=file\nsecond=line\n",
    "boot/empty": b"",
    "boot/zipl/.keep": b"",
    "etc/.keep": b"",
}
"""The files for generated configurations; `tests.strategies.Paths` names them."""

_DEVICE_TROUBLE = re.compile(
    r"Position \d+ in menu '.*' exceeds maximum for device"
    r"|Could not install Secure Boot IPL records"
    r"|Could not get information for file '/dev/"
    r"|Could not get disk geometry"
)
"""Errors about the disk or the firmware, which zipl only reports after accessing them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is compared between zipl and secboot: for a refusal, only ``accepted`` and ``error``."""

    accepted: bool
    error: str = ""
    bls_order: tuple[str, ...] = ()
    entries: tuple[tuple[int | None, str, bool, str | None], ...] = ()


def compare(cell: Cell, files: Mapping[str, bytes]) -> None:
    """Let both read a machine with these files; fail with both results if they differ."""
    cell.fill_with(files)
    compare_cell(cell)


def compare_cell(cell: Cell) -> None:
    """Compare for the case in the cell."""
    with Root(cell.directory) as root:
        machine = discover(root)
    assert str(machine.zipl_version) == cell.version
    mine = machine.configuration
    verdict = cell.dry_run()
    if not verdict.accepted and mine.accepted:
        verdict = without_devices(cell, verdict)
    theirs, ours = _of_zipl(verdict), _of_secboot(mine)
    if theirs.accepted and not verdict.entries:
        # Even as root, zipl does not reach the entries: only the verdict can be compared.
        ours = Reading(ours.accepted, ours.error, ours.bls_order)
    if ties(mine):
        theirs, ours = _any_order(theirs), _any_order(ours)
    tally.compared(cell.version, accepted=theirs.accepted, disagreements=int(theirs != ours))
    assert ours == theirs, f"zipl {cell.version} said:\n{verdict.output}"


def without_devices(cell: Cell, verdict: Verdict) -> Verdict:
    """The verdict as an ordinary user, if the complete run failed because of a device.

    The loop device represents the real disk; a configuration that describes a different one
    (targetbase=, targetgeometry=) can be valid and still not match it.
    """
    if _DEVICE_TROUBLE.search(verdict.error):
        return cell.dry_run_unprivileged()
    return verdict


def _of_zipl(verdict: Verdict) -> Reading:
    if not verdict.accepted:
        return Reading(accepted=False, error=_plain(verdict.error))
    entries = tuple(
        (entry.number, entry.name, entry.default, entry.parmline) for entry in verdict.entries
    )
    return Reading(True, "", verdict.bls_order, entries)


def _of_secboot(configuration: BootConfiguration) -> Reading:
    if configuration.problems:
        return Reading(accepted=False, error=_plain(configuration.refusals[0].zipl_message))
    entries = tuple(
        (each.position, each.entry.name, each.is_default, each.entry.parmline)
        for each in configuration.to_install
        if not each.skipped
    )
    order = tuple(entry.path.rpartition("/")[2] for entry in configuration.bls)
    return Reading(True, "", order, entries)


def _plain(error: str) -> str:
    """zipl's message without the file name at its start, and without a stale errno text.

    Since 2.35, "what" and "why" are two messages; for a parameter line that is too long, "why"
    is left over from the last failed system call.
    """
    if "Assertion" in error or error.startswith(ABORTS):
        return ABORTS
    error = re.sub(
        r"^((?:Image file|Dump target list) '.*?' (?:in section '.*?'|is empty\.|contains .* entries\.)): .*",
        r"\1",
        error,
    )
    error = re.sub(r"^(?:Config file|BLS parsing) '.*?': ", "", error).replace(" Error: ", ": ")
    return re.sub(
        r"(exceeds the allowed maximum \(.*? bytes\)(?: in section '.*')?): .*", r"\1", error
    )


def ties(configuration: BootConfiguration) -> bool:
    """Whether zipl's order of some BLS entries is undefined, because two have the same version."""
    if not configuration.version.sorts_bls_by_version:
        return False
    versions = [entry.version for entry in configuration.bls]
    return len(set(versions)) < len(versions)


def _any_order(reading: Reading) -> Reading:
    """What can be compared if the order is undefined, which also affects the error."""
    by_name = sorted((name, parmline or "") for _, name, _, parmline in reading.entries)
    entries = tuple((None, name, False, parmline) for name, parmline in by_name)
    return Reading(reading.accepted, "", tuple(sorted(reading.bls_order)), entries)
