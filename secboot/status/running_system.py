"""The running system: its two stages, the origin of its command line, and other findings about it.

A line can change between the boot record and the kernel (zipl/boot/stage3.c and menu.c,
append_ipl_block_parm in the kernel's arch/s390/boot/ipl_parm.c): ``${NAME}`` is replaced from the
zIPL environment; text typed at the boot menu is appended, or replaces the line if it begins with
``=``; the menu adds ``BOOT_IMAGE=n``; and the kernel appends the IPL PARM or SCPDATA of the machine,
which also replaces the line if it begins with ``=``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.finding import Finding, Severity
from secboot.formats.kernel_cmdline import BLANKS, CommandLine
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.kernel.command_line import BOOTED_OTHERWISE
from secboot.named_tuple import NamedTuple
from secboot.profile.requirement import costs
from secboot.running.firmware import is_elsewhere
from secboot.status.stages import NOT_RUNNING, Evidence, LineOrigin, Result, Verdict
from secboot.status.without_entries import (
    cause_without_entries,
    entries_of_first_stage,
    has_no_entries,
    origin_without_entries,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from secboot.ipl.next_ipl import Choice
    from secboot.profile.requirement import Requirement
    from secboot.running.firmware import IplSource
    from secboot.running.system import RunningSystem
    from secboot.status.next_reboot import NextReboot

_MENU_NUMBER = re.compile(r"(?:^|[ \t])BOOT_IMAGE=(\d+)(?=[ \t]|$)")


class KnownLine(NamedTuple):
    """A line that could have been IPLed: ``text`` as written, `source` in words."""

    source: str
    text: str


def origin_of(evidence: Evidence) -> LineOrigin | None:
    """Return the origin of the running system's line; None if the line cannot be read."""
    running, bootmap = evidence.running, evidence.next_ipl.record.bootmap
    if running is None or running.command_line is None:
        return None
    if has_no_entries(evidence, running):
        return origin_without_entries(running)
    if running.ultravisor.prot_virt_guest:
        return _secure_origin(evidence, running)
    environment = None if bootmap is None else bootmap.environment
    known = tuple(_known_lines(evidence))
    return explain(running.command_line, known, environment, running.ipl)


def _secure_origin(evidence: Evidence, running: RunningSystem) -> LineOrigin:
    """Return the origin of a secure guest's line, to which IPL PARM and the boot menu add nothing.

    The line of an image has the blanks and line ends of its parmfile.
    """
    words = (running.command_line or "").split()
    for choice in evidence.next_ipl.choices:
        if choice.secure and choice.line is not None and choice.line.split() == words:
            named = _named(choice, evidence.next_ipl.record.path)
            return LineOrigin(f"it matches {named}", of_entry=True)
    started = dict(entries_of_first_stage(evidence))
    for named, line in started.items():
        if line.split() == words:
            return LineOrigin(f"it matches {named}", of_entry=True)
    if started:
        message = "it matches no known entry: an entry was changed after this boot"
        return LineOrigin(message, of_entry=False)
    return origin_without_entries(running)


def judge_running(
    requirement: Requirement,
    installed: Result,
    evidence: Evidence,
    origin: LineOrigin | None,
    reboot: NextReboot,
) -> Result:
    """Judge the command line that the kernel was booted with."""
    running = evidence.running
    if running is None:
        return NOT_RUNNING
    if running.command_line is None:
        return Result(Verdict.UNKNOWN, "/proc/cmdline cannot be read")
    judgement = requirement.judge(CommandLine.parse(running.command_line))
    if judgement.met:
        return Result(Verdict.MET, judgement.reason)
    causes = tuple(_causes(requirement, installed, evidence, running, origin, reboot))
    return Result(Verdict.MISSING, judgement.reason, causes)


def judge_effective(
    requirement: Requirement, running: RunningSystem | None, reboot: NextReboot
) -> Result:
    """Judge whether the kernel honoured this parameter, by what the kernel reports about it."""
    if running is None:
        return NOT_RUNNING
    found = requirement.honoured(running)
    if found is None:
        return Result(Verdict.NOT_APPLICABLE, "the kernel does not report it")
    if found.value is None:
        return Result(Verdict.UNKNOWN, found.reason)
    if found.value:
        return Result(Verdict.MET, found.reason)
    return Result(Verdict.MISSING, found.reason, tuple(_useful(found.causes, requirement, reboot)))


def _useful(
    causes: Iterable[Finding], requirement: Requirement, reboot: NextReboot
) -> Iterator[Finding]:
    """The causes, with hints that help: not a reboot if it would start the same line again."""
    kept = reboot.keeps_from(requirement)
    for cause in causes:
        is_useless = cause.code in BOOTED_OTHERWISE and kept
        yield cause._replace(hint=kept[0].hint) if is_useless else cause


def notices(evidence: Evidence, running: RunningSystem) -> Iterable[Finding]:
    """Findings about the running system that belong to no stage."""
    role = evidence.profile.role if evidence.profile is not None else None
    wrong = _wrong_role(role, running)
    if wrong is not None:
        yield Finding("role", Severity.WARNING, wrong)
    if running.kdump:
        message = "this is a kdump kernel: its command line is not that of the system"
        yield Finding("kdump", Severity.WARNING, message)
    if role == "host" and running.kvm_hpage and not _splits_huge_pages(running):
        message = (
            "kvm.hpage=1: kernels before 7.0 cannot back Secure Execution guests with huge pages"
        )
        hint = "start such guests without huge page backing"
        yield Finding("huge-pages", Severity.WARNING, message, hint=hint)
    if running.messages.bounce_buffer_full:
        message = f"the bounce buffer ran full: {running.messages.bounce_buffer_full[-1]}"
        hint = "set a larger swiotlb in the profile"
        yield Finding("bounce-buffer-full", Severity.WARNING, message, hint=hint)
    yield from _advice(evidence, running)
    disk = None
    if evidence.next_ipl.record.bootmap is not None:
        disk = _another_disk(evidence, running)
    if disk is not None:
        yield disk


def _advice(evidence: Evidence, running: RunningSystem) -> Iterator[Finding]:
    """How well the profile suits this system."""
    profile = evidence.profile
    if profile is None:
        return
    memory = profile.memory if running.memory is None else running.memory
    if memory is not None:
        yield from costs(profile.requirements, memory)
    for requirement in profile.requirements:
        found = requirement.advice(running)
        if found is not None:
            yield found


def _splits_huge_pages(running: RunningSystem) -> bool:
    """Whether KVM splits huge pages; it still refuses hugetlbfs."""
    return running.release is not None and running.release >= (7, 0)


def _wrong_role(role: str | None, running: RunningSystem) -> str | None:
    hardware = running.hardware
    where = hardware.describe()
    if role == "host" and running.ultravisor.prot_virt_guest:
        return "a host profile, but this is a Secure Execution guest"
    if role == "host" and hardware.under_hypervisor:
        return f"a host profile, but this system is a guest: {where}"
    if role == "guest" and hardware.in_lpar:
        return f"a guest profile, but this system runs in an LPAR: {where}"
    return None


def _another_disk(evidence: Evidence, running: RunningSystem) -> Finding | None:
    """Report a re-IPL device that is not the disk of the boot record.

    If that disk is unknown, as on btrfs, it is taken for the one that this system was IPLed from.
    """
    reipl, ipl = running.reipl, running.ipl
    if reipl is None or not is_elsewhere(reipl, running.boot_record_disks, ipl):
        return None
    import shlex  # noqa: PLC0415 - for those who have something to say to their user

    directory = evidence.machine.bootmap.path.rpartition("/")[0]
    hint = shlex.join(["chreipl", "node", directory or "/"])
    where = f"the boot record is on {' '.join(running.boot_record_disks)}"
    if ipl is not None and not running.boot_record_disks:
        from secboot.ipl.reboot_advice import Surroundings, clearing_command  # noqa: PLC0415 - ditto

        surroundings = Surroundings.of(evidence.machine, running.hardware.runs_in)
        hint = clearing_command(ipl, text=False, choice=False, surroundings=surroundings)
        where = f"this system was IPLed from {ipl.device}"
    message = f"a reboot IPLs from {reipl.device}, but {where}"
    return Finding("reipl-device", Severity.WARNING, message, hint=hint)


def _causes(
    requirement: Requirement,
    installed: Result,
    evidence: Evidence,
    running: RunningSystem,
    origin: LineOrigin | None,
    reboot: NextReboot,
) -> Iterable[Finding]:
    """Why the running line does not meet the requirement, the most likely cause first.

    If a reboot would start such a line again, none is suggested.
    """
    if has_no_entries(evidence, running):
        yield cause_without_entries(evidence, running)
        return
    if installed.verdict in {Verdict.MISSING, Verdict.UNKNOWN}:
        yield _not_installed(installed)
        return
    kept = reboot.keeps_from(requirement)
    if kept:
        yield from kept
        return
    wrong_disk = _another_disk(evidence, running)
    if wrong_disk is not None:
        yield wrong_disk
    hint = f"reboot, then check again: {evidence.invocation.for_profile('status')}"
    if origin is not None and origin.replaced:
        yield Finding("line-replaced", Severity.NOTE, origin.description, hint=hint)
        return
    if not _ipled_since(evidence, running):
        message = "the system has not been IPLed since zipl ran"
        yield Finding("not-ipled", Severity.NOTE, message, hint=hint)
    elif origin is not None and not origin.of_entry:
        yield Finding("another-line", Severity.NOTE, origin.description, hint=hint)
    if origin is not None and origin.of_entry:
        if reboot.reboot is None:
            hint = "select the right boot entry at the next IPL (LOADPARM, chreipl -L)"
        yield Finding("another-entry", Severity.NOTE, origin.description, hint=hint)


def _ipled_since(evidence: Evidence, running: RunningSystem) -> bool:
    """Whether the system was certainly IPLed after the boot record was written."""
    written = evidence.machine.bootmap.modified
    if written is None or running.booted_at is None:
        return False
    return running.booted_at > written // 10**9


def _not_installed(installed: Result) -> Finding:
    """Return the cause that the boot record does not meet the requirement, or may not."""
    hint = next((cause.hint for cause in installed.causes), None)
    if installed.verdict is Verdict.MISSING:
        message = f"not installed either ({installed.reason})"
        return Finding("not-installed", Severity.NOTE, message, hint=hint)
    message = f"unknown whether the boot record contains it ({installed.reason})"
    return Finding("installed-unknown", Severity.NOTE, message, hint=hint)


def _known_lines(evidence: Evidence) -> Iterable[KnownLine]:
    """The lines that the next IPL could start, then those that are only in the files.

    Most entries of a machine have the same line, so that of the running kernel comes first, and
    among equal ones the default.
    """
    release = None if evidence.running is None else evidence.running.kernel

    def runs_not(choice: Choice) -> bool:
        return release is None or not (choice.kernel or "").endswith(f"-{release}")

    choices = [choice for choice in evidence.next_ipl.choices if choice.line is not None]
    for choice in sorted(choices, key=lambda each: (runs_not(each), not each.is_default)):
        yield KnownLine(_named(choice, evidence.next_ipl.record.path), choice.line or "")
    for state in evidence.next_ipl.entries:
        if state.configured is not None:
            yield KnownLine(f"'{state.name}' in its file", state.configured)


def _named(choice: Choice, record: str) -> str:
    name = f"'{choice.title}'" if choice.title else "a program without a boot entry"
    in_record = choice.location.path == record
    where = "the boot record" if in_record else choice.location.path
    number = f", {'menu number' if in_record else 'LOADPARM'} {choice.loadparm}"
    default = " (the default)" if choice.is_default else ""
    return f"{name} in {where}{number if choice.loadparm else ''}{default}"


def explain(
    running: str,
    known: Sequence[KnownLine],
    environment: ZiplEnvironment | None = None,
    ipl: IplSource | None = None,
) -> LineOrigin:
    """Return the origin of the running line, in one sentence.

    The first of `known` that matches wins, so the most likely one must come first.
    """
    running = running.strip(BLANKS)
    if ipl is not None and ipl.parm and ipl.parm.startswith("="):
        replaced = ipl.parm[1:].strip(BLANKS)
        if replaced.lower() == running.lower():
            message = f"{ipl.text_name} begins with '=' and replaced the whole line"
            return LineOrigin(message, of_entry=True, replaced=True)
    best: tuple[KnownLine, str, str] | None = None
    for line in known:
        for text, how in _as_booted(line.text, environment):
            rest = _rest(running, text.strip(BLANKS))
            if rest is not None and (best is None or len(rest) < len(best[2])):
                best = (line, how, rest)
    if best is None:
        return LineOrigin(
            "it matches no boot entry: an entry was changed after this boot, a different disk was"
            " IPLed, or the line was replaced at IPL (IPL PARM or menu text with a leading '=')",
            of_entry=False,
        )
    line, how, rest = best
    parts = [f"it matches {line.source}", *([how] if how else []), *_added(rest, ipl)]
    return LineOrigin(", ".join(parts), of_entry=True)


def _as_booted(text: str, environment: ZiplEnvironment | None) -> Iterable[tuple[str, str]]:
    """The forms of a line after its variables were replaced, each with how that was done."""
    names = variables_of(text)
    if not names or environment is None:
        yield text, ""
        return
    shown = " and ".join(f"${{{name}}}" for name in dict.fromkeys(names))
    yield environment.expand(text), f"with {shown} from the zIPL environment"
    for site in environment.sites:
        yield (
            environment.expand(text, site),
            f"with {shown} from site {site} of the zIPL environment",
        )
    yield text, f"with {shown} unexpanded, although this boot loader would have expanded it"


def _rest(running: str, text: str) -> str | None:
    """The part of the running line after `text`; None if the line does not begin with it."""
    if running == text:
        return ""
    if not text:
        return running
    return (
        running[len(text) :] if running.startswith(text) and running[len(text)] in BLANKS else None
    )


def _added(rest: str, ipl: IplSource | None) -> list[str]:
    parts = []
    menu = _MENU_NUMBER.search(rest)
    if menu is not None:
        parts.append(f"the boot menu added BOOT_IMAGE={menu[1]}")
        rest = rest[: menu.start()] + rest[menu.end() :]
    rest = rest.strip(BLANKS)
    parm = None if ipl is None or ipl.parm is None else ipl.parm.strip(BLANKS)
    if ipl is not None and parm and rest.lower().endswith(parm.lower()):
        parts.append(f"{ipl.text_name} added '{rest[-len(parm) :]}'")
        rest = rest[: -len(parm)].strip(BLANKS)
    if rest:
        parts.append(f"'{rest}' was added at IPL (at the boot menu, or as IPL PARM)")
    return parts
