"""Warnings about the re-IPL settings before a reboot, and the commands that change them.

The commands are those of chreipl(8) (s390-tools, ipl_tools/cmd_chreipl.c), which clears LOADPARM,
boot program and text unless they are specified: a command that removes one repeats the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import CommandLine
from secboot.ipl.reboot import Chooses, chosen_by_loadparm, site_alone
from secboot.named_tuple import NamedTuple
from secboot.running.system import Level
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from secboot.ipl.reboot import Reboot
    from secboot.machine.discovery import Machine
    from secboot.profile.requirement import Requirement
    from secboot.running.firmware import IplSource
    from secboot.zipl.version import ZiplVersion

_ECKD_TEXT_SINCE = (2, 41)
"""Earlier releases of chreipl silently ignore the option for the text with the type eckd."""
_READS_LOADPARM_SINCE = (2, 40)
"""Earlier loaders of zipl only read LOADPARM if they have a line-mode console."""
_BY_LOADER = frozenset({"reipl-entry", "reipl-no-entry", "reipl-menu"})
_OUTSIDE = {
    Level.LPAR: "a LOAD at the HMC has its own LOADPARM and operating system specific parameters",
    Level.ZVM: "an IPL by z/VM has its own: CP SET LOADDEV LOADPARM and SCPDATA, IPL ... PARM",
    Level.KVM: "a start by libvirt has its own: loadparm= of <boot> in the domain XML",
}
"""Where LOADPARM and the text come from in an IPL that is not a reboot of the system itself."""
_CHOICES = {
    Chooses.ENTRY: ("reipl-entry", Severity.WARNING),
    Chooses.NOTHING: ("reipl-no-entry", Severity.ERROR),
    Chooses.MENU: ("reipl-menu", Severity.WARNING),
    Chooses.ELSEWHERE: ("reipl-elsewhere", Severity.WARNING),
    Chooses.UNKNOWN: ("reipl-unknown", Severity.WARNING),
}
OF_THE_REBOOT = frozenset({"reipl-text", *(code for code, _ in _CHOICES.values())})
"""The codes of all findings about what a reboot adds or selects."""


class Surroundings(NamedTuple):
    """What the advice depends on: the level above the system, its s390-tools, the record's directory.

    `release` is None if unknown.
    """

    runs_in: Level = Level.UNKNOWN
    release: ZiplVersion | None = None
    directory: str = "/boot"

    @classmethod
    def of(cls, machine: Machine, runs_in: Level) -> Surroundings:
        """Return the surroundings of a machine."""
        release = None if machine.zipl_version_is_assumed else machine.zipl_version
        return cls(runs_in, release, machine.bootmap.path.rpartition("/")[0] or "/")


def reboot_findings(
    reboot: Reboot, requirements: Sequence[Requirement], surroundings: Surroundings
) -> tuple[Finding, ...]:
    """Return findings about unexpected additions or selections by a reboot.

    An added text is reported if it contains a word that a requirement is about, or changes whether
    a requirement is met; a text that replaces the line always is. It is an error if the machine
    would not boot, or would not meet a requirement.
    """
    found = [*_of_choice(reboot, requirements), *_of_text(reboot, requirements)]
    if not found:
        return ()
    command = clearing_command(
        reboot.source,
        text=any(each.code == "reipl-text" for each in found),
        choice=any(each.code != "reipl-text" for each in found),
        surroundings=surroundings,
    )
    remarks = [] if command.startswith("chreipl") else ["chreipl supports this text since 2.41"]
    chosen = any(each.code in _BY_LOADER for each in found) and chosen_by_loadparm(reboot.source)
    if chosen and may_ignore_loadparm(surroundings):
        remarks.append("zipl's loader before 2.40 ignores LOADPARM without a line-mode console")
    remarks += [_OUTSIDE[surroundings.runs_in]] if surroundings.runs_in in _OUTSIDE else []
    hint = f"{command}  # {'; '.join(remarks)}" if remarks else command
    return tuple(each._replace(hint=hint) for each in found)


def _of_choice(reboot: Reboot, requirements: Sequence[Requirement]) -> Iterator[Finding]:
    # Do not warn if no operator made a selection, as for a direct kernel boot.
    if reboot.chooses not in _CHOICES or (reboot.chooses is Chooses.UNKNOWN and not reboot.asked):
        return
    code, severity = _CHOICES[reboot.chooses]
    by = reboot.asked
    entry = "another entry" if reboot.entry is None else f"'{visible(reboot.entry)}'"
    message = {
        Chooses.ENTRY: f"a reboot starts {entry} ({by}), which is not the default",
        Chooses.NOTHING: f"a reboot does not boot: the boot record has no entry for {by}",
        Chooses.MENU: f"a reboot waits at the boot menu ({by})",
        Chooses.ELSEWHERE: "a reboot starts a named saved system, not a boot entry",
        Chooses.UNKNOWN: f"it is unknown what a reboot starts: {reboot.why}",
    }[reboot.chooses]
    if reboot.chooses is Chooses.ENTRY and reboot.recorded is not None:
        line = CommandLine.parse(reboot.recorded)
        unmet = [each for each in (r.judge(line) for r in requirements) if not each.met]
        message += "".join(f"; {each.reason}" for each in unmet)
        severity = Severity.ERROR if unmet else severity
    yield Finding(code, severity, message)


def _of_text(reboot: Reboot, requirements: Sequence[Requirement]) -> Iterator[Finding]:
    if not reboot.text:
        return
    concerned, severity = _judged(reboot, requirements)
    text, name = visible(reboot.text), reboot.source.text_name
    reasons = "".join(f"; {reason}" for reason in concerned)
    if reboot.replaces:
        message = (
            f"{name} in the re-IPL settings starts with '=': a reboot replaces the line of every boot"
            f" entry with '{text[1:]}'{reasons}"
        )
        yield Finding("reipl-text", severity, message)
    elif concerned:
        message = f"a reboot adds '{text}' to the line ({name} in the re-IPL settings){reasons}"
        yield Finding("reipl-text", severity, message)


def _judged(reboot: Reboot, requirements: Sequence[Requirement]) -> tuple[list[str], Severity]:
    """Return why each requirement that the text affects is met with it, or is not."""
    added = CommandLine.parse(reboot.text.removeprefix("="))
    base = None if reboot.recorded is None else CommandLine.parse(reboot.recorded)
    line = None if reboot.line is None else CommandLine.parse(reboot.line)
    reasons, severity = [], Severity.WARNING
    for requirement in requirements:
        before = None if base is None else requirement.judge(base).met
        after = None if line is None else requirement.judge(line)
        changed = after is not None and before is not None and after.met is not before
        lacks = reboot.replaces and after is not None and not after.met
        if not (changed or lacks or requirement.occurrences(added)):
            continue
        if after is None:
            reasons.append(f"its effect on {requirement.name} is unknown")
            continue
        reasons.append(after.reason)
        if lacks or (not after.met and before is not False):
            severity = Severity.ERROR
    return reasons, severity


def clearing_command(
    source: IplSource, *, text: bool, choice: bool, surroundings: Surroundings
) -> str:
    """Return the command that clears the text, the selection or both, and keeps everything else."""
    import shlex  # noqa: PLC0415 - only needed if there is a finding

    if source.type == "eckd" and (text or source.parm) and not _writes_text_of_eckd(surroundings):
        return _writing_files(source, text=text, choice=choice)
    by_loadparm = chosen_by_loadparm(source)
    options = []
    if source.loadparm:
        kept = site_alone(source.loadparm) if choice and by_loadparm else source.loadparm
        options += ["-L", kept]
    if source.bootprog.strip("0"):
        options += ["-b", "0" if choice and not by_loadparm else source.bootprog]
    if source.parm:
        options += ["-p", "" if text else source.parm]
    return shlex.join(["chreipl", *_target(source, surroundings), *options])


def _target(source: IplSource, surroundings: Surroundings) -> list[str]:
    """The arguments of chreipl for the device; the record's directory if the settings lack it."""
    device, address = source.device, source.address
    match source.type:
        case "ccw" | "eckd" if device is not None:
            return [source.type, "-d", device]
        case "fcp" if device is not None and {"wwpn", "lun"} <= address.keys():
            return ["fcp", "-d", device, "-w", address["wwpn"], "-l", address["lun"]]
        case "nvme" if {"fid", "nsid"} <= address.keys():
            return ["nvme", "-i", address["fid"], "-s", address["nsid"]]
        case _:
            return ["node", surroundings.directory]


def may_ignore_loadparm(surroundings: Surroundings) -> bool:
    """Whether an old loader of zipl reads LOADPARM; under KVM, QEMU reads it instead."""
    release = surroundings.release
    old = release is not None and release[:2] < _READS_LOADPARM_SINCE
    return old and surroundings.runs_in is not Level.KVM


def _writes_text_of_eckd(surroundings: Surroundings) -> bool:
    release = surroundings.release
    return release is not None and release[:2] >= _ECKD_TEXT_SINCE


def _writing_files(source: IplSource, *, text: bool, choice: bool) -> str:
    """Return the same without chreipl: commands that write the files that it would write."""
    directory = f"/sys/firmware/reipl/{source.type}"
    written = [f"echo > {directory}/scp_data"] if text else []
    if choice and chosen_by_loadparm(source):
        written.append(f"echo {site_alone(source.loadparm)}".rstrip() + f" > {directory}/loadparm")
    elif choice:
        written.append(f"echo 0 > {directory}/bootprog")
    return " && ".join(written)
