"""The re-IPL setting that makes a reboot start a trial's boot entry, and what can prevent that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import RefusedError
from secboot.finding import Finding, Severity
from secboot.ipl.reboot import choosing, chosen_by_loadparm
from secboot.ipl.reboot_advice import Surroundings, clearing_command, may_ignore_loadparm
from secboot.running.firmware import REIPL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.machine.discovery import Machine
    from secboot.running.system import LiveFacts, RebootSettings

INSTEAD = "apply the change without --trial; `rollback` undoes it"


def settings_of(live: LiveFacts, *, with_zipl: bool) -> RebootSettings:
    """Return the re-IPL settings of the running system, if they can select what a reboot starts."""
    settings = live.reboot
    if not with_zipl:
        raise RefusedError(
            "a trial needs zipl: a reboot can start the trial's entry only from a new boot record",
            hint="omit --no-zipl",
        )
    if settings is None or settings.source.type not in {"ccw", "eckd", "fcp", "nvme"}:
        kind = "not IPLed from a disk" if settings is None else settings.source.type
        raise RefusedError(
            "cannot select what a reboot starts: /sys/firmware/reipl has no setting for that"
            f" ({kind})",
            hint=INSTEAD,
        )
    source = settings.source
    if settings.elsewhere:
        raise RefusedError(
            f"a reboot IPLs from {source.device}, but the boot record is on a different disk",
            hint="make a reboot IPL from the disk with the boot record first: chreipl node /boot",
        )
    if settings.on_reboot not in {None, "reipl"}:
        raise RefusedError(
            "a reboot does not re-IPL this system: shutdown_actions/on_reboot is"
            f" '{settings.on_reboot}'",
            hint="chshut reboot reipl",
        )
    if source.parm is not None and source.parm.startswith("="):
        raise RefusedError(
            f"{source.text_name} in the re-IPL settings starts with '=': a reboot uses it as the"
            " parameter line of whatever it starts",
            hint="remove it first; `secboot status` shows the command",
        )
    return settings


def setting_for(settings: RebootSettings, number: int) -> tuple[str, str, str]:
    """Return the path of the re-IPL setting that selects this entry, and its values before and after."""
    source = settings.source
    name, after = choosing(source, number)
    before = source.loadparm if name == "loadparm" else source.bootprog
    return f"{REIPL}/{source.type}/{name}", before, after


def command_back(machine: Machine, settings: RebootSettings, chosen: str) -> str:
    """Return the command that makes a reboot start the default again instead of `chosen`."""
    source = settings.source
    by_loadparm = chosen_by_loadparm(source)
    now = source._replace(loadparm=chosen) if by_loadparm else source._replace(bootprog=chosen)
    around = Surroundings.of(machine, settings.runs_in)
    return clearing_command(now, text=False, choice=True, surroundings=around)


def about_loader(machine: Machine, settings: RebootSettings) -> Iterator[Finding]:
    """Warn about a loader that may ignore LOADPARM."""
    around = Surroundings.of(machine, settings.runs_in)
    if chosen_by_loadparm(settings.source) and may_ignore_loadparm(around):
        message = (
            "the loader of zipl before 2.40 ignores LOADPARM without a line-mode console: then a"
            " reboot starts the default, and `secboot status` reports that the trial failed"
        )
        yield Finding("trial-loader", Severity.WARNING, message)
