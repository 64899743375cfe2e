"""The units in their real environment: a machine booted by systemd, IPL after IPL.

secboot is installed from the Debian package. Each boot is a real IPL, so /proc/cmdline shows the
line in the boot record, and a machine that reports anything has reached multi-user.target.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.available import not_here
from tests.packaging.programs import CHECKOUT, require
from tests.s390x import newest_systemd
from tests.s390x.boot_texts import section
from tests.s390x.emulator import IplResult
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import SWIOTLB
from tests.s390x.testbed import TestBed, require_ipl
from tests.workshop import Workshop

pytestmark = [pytest.mark.ipl, pytest.mark.package]

UNIT = "secboot-apply@guest.service"
BEFORE = f"{ROOT} init=/lib/systemd/systemd quiet systemd.show_status=false"
AFTER = f"{BEFORE} {SWIOTLB}"
TRIED = f"{AFTER} loglevel=7"
ZIPL_CONF = (
    "# by hand, für Gäste\n[defaultboot]\ndefaultauto\nprompt=0\ntimeout=0\ntarget=/boot\n"
    + section("linux", f'"{BEFORE}"')
)
INSTALL = f"""\
set -e
tar -x -C / -f secboot.tar
mkdir -p /etc/systemd/system-preset
cp /usr/sbin/zipl /usr/sbin/zipl.real
cp zipl.conf /etc/
mkdir /etc/systemd/system/secboot-verify@.timer.d
cp soon.conf /etc/systemd/system/secboot-verify@.timer.d/
run enable systemctl enable {UNIT}
run zipl zipl
"""
SHOWN = ("ActiveState", "Result", "ExecMainStatus", "NRestarts", "ConditionResult")
LOOK = f"""\
export SYSTEMD_PAGER=cat SYSTEMD_COLORS=0
run unit systemctl show {UNIT} --property {",".join(SHOWN)}
run target systemctl is-active multi-user.target
journalctl --sync
run journal journalctl --boot --unit {UNIT} --output cat
run enabled ls /etc/systemd/system/multi-user.target.wants
run stamp ls /var/lib/secboot-apply
run conf cat /etc/zipl.conf
run machine cat /etc/machine-id
"""
VERIFY = "run verify /usr/bin/secboot verify guest --stage running\n"
PRESET = "/etc/systemd/system-preset/00-disable.preset"
READ_LOG = """\
import os
os.read(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK), 8192)
try:
    os.open("/dev/mem", os.O_RDONLY)
except PermissionError:
    print("log read, memory refused")
"""
TRIAL = "secboot-trial.service"
METRICS = "/var/lib/prometheus/node-exporter/secboot-guest.prom"
CHECK = f"""\
mkdir -p {Path(METRICS).parent}
rm -f {METRICS}
systemctl start secboot-verify@guest.timer
waited=0
while [ ! -e {METRICS} ] && [ $waited -lt 90 ]; do sleep 1; waited=$((waited + 1)); done
while [ "$(systemctl is-active secboot-verify@guest.service)" = activating ]; do sleep 1; done
run metrics cat {METRICS}
run verified systemctl show secboot-verify@guest.service --property {",".join(SHOWN)}
journalctl --sync
run said journalctl --boot --unit secboot-verify@guest.service --output cat
"""
NOTHING_TO_CONFIRM = f"""\
run started systemctl start {TRIAL}
run unconfirmed journalctl --boot --unit {TRIAL} --output cat
"""
TRY = f"""\
run trial /usr/bin/secboot set loglevel=7 --trial
run number cat /sys/firmware/reipl/ccw/loadparm
systemctl enable {TRIAL}
systemctl start {TRIAL}
run waiting systemctl show {TRIAL} --property {",".join(SHOWN)}
"""
SOON = "[Timer]\nOnBootSec=\nOnBootSec=1\nRandomizedDelaySec=0\nAccuracySec=1s\n"
"""The timer, without the wait. Setting OnBootSec= to nothing removes all times."""
CONFIRMED = f"""\
run confirmed systemctl show {TRIAL} --property {",".join(SHOWN)}
run confirmation journalctl --boot --unit {TRIAL} --output cat
"""
PROBE = """\
cp probe.service /run/systemd/system/
cp probe.py /run/
systemctl daemon-reload
systemctl start probe.service
journalctl --sync
run probe journalctl --boot --unit probe.service --output cat
"""
ZIPL_THAT_FAILS_ONCE = """\
#!/bin/sh
# zipl's work is done, the boot record written; then it fails, the first time.
/usr/sbin/zipl.real "$@" || exit
case " $* " in *" --dry-run "*) exit 0 ;; esac
if [ -e /var/lib/zipl-failed ]; then exit 0; fi
touch /var/lib/zipl-failed
echo "made to fail" >&2
exit 1
"""
ZIPL_IN_WHICH_THE_UNIT_IS_STOPPED = f"""\
#!/bin/sh
# Half-way the unit is stopped, the first time, as at a shutdown. Notes the runs that end.
case " $* " in *" --dry-run "*) exec /usr/sbin/zipl.real "$@" ;; esac
if [ ! -e /var/lib/stopped ]; then
    touch /var/lib/stopped
    systemctl --no-block stop {UNIT}
    sleep 2
fi
/usr/sbin/zipl.real "$@"
status=$?
echo "ended $status" >> /var/lib/zipl-ended
exit $status
"""


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot has reached."""

    result: IplResult

    @property
    def unit(self) -> dict[str, str]:
        """systemd's properties of the unit."""
        return self.properties("unit")

    def properties(self, name: str) -> dict[str, str]:
        """systemd's properties of a unit, as `run NAME` showed them."""
        lines = self.result.output(name).split()
        return dict(line.split("=", 1) for line in lines)

    def failed_checks(self) -> set[str]:
        """The stages of failed checks, according to the metrics."""
        metrics = self.result.output("metrics")
        assert 'secboot_up{profile="guest"} 1\n' in metrics
        return set(re.findall(r'^secboot_check\{check="(\w+)\..* 0$', metrics, re.MULTILINE))

    @property
    def starts(self) -> int:
        """How often systemd has started the unit in this boot."""
        return len(re.findall(f"^Starting {UNIT}", self.result.output("journal"), re.MULTILINE))

    def enabled(self) -> set[str]:
        """The units of secboot that multi-user.target wants."""
        names = self.result.output("enabled").split()
        return {name for name in names if name.startswith("secboot")}

    def require_up(self, command_line: str) -> None:
        """Fail unless the machine booted completely, with this command line."""
        assert self.result.command_line == command_line
        assert self.result.output("target").strip() == "active"
        assert self.result.finished

    def require_failed(self, status: int) -> None:
        """Fail unless the unit has failed, once, with this exit code, and left no stamp."""
        assert self.unit == dict(
            zip(SHOWN, ("failed", "exit-code", str(status), "0", "yes"), strict=True)
        )
        assert self.starts == 1
        assert self.result.output("stamp").strip() == ""
        assert self.result.output("conf") == ZIPL_CONF + "\n"

    def require_done(self) -> None:
        """Fail unless the unit has done its work and recorded it."""
        assert self.unit == dict(zip(SHOWN, ("active", "success", "0", "0", "yes"), strict=True))
        assert self.starts == 1
        assert "zipl wrote the boot record" in self.result.output("journal")
        assert self.result.output("stamp").strip() == "guest"
        assert SWIOTLB in self.result.output("conf")

    def require_not_run(self) -> None:
        """Fail if the unit was started."""
        assert self.unit["ActiveState"] == "inactive"
        assert self.unit["ConditionResult"] == "no"
        assert self.starts == 0


def boot(
    guest: Guest,
    script: str = "",
    files: dict[str, bytes | str] | None = None,
    loadparm: str = "",
) -> Boot:
    """IPL from the disk; the script runs after systemd's results are collected."""
    return Boot(guest.run(LOOK + script, files, loadparm=loadparm, limit=300))


def put(image: Path, work: Path, files: dict[str, tuple[int, str]]) -> None:
    """Write files, by path with their modes, into an image that no machine uses.

    Existing files are replaced.
    """
    commands = ""
    for number, (path, (mode, text)) in enumerate(files.items()):
        (work / f"put-{number}").write_text(text)
        commands += f"rm {path}\nwrite {work}/put-{number} {path}\n"
        commands += f"set_inode_field {path} mode 0{mode:o}\n"
    (work / "debugfs").write_text(commands)
    done = subprocess.run(
        [require("debugfs"), "-w", "-f", work / "debugfs", image],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    # Its exit status is meaningless. It prints its version, and that `rm` did not find a new file.
    assert [line for line in done.stderr.splitlines()[1:] if not line.startswith("rm: ")] == []


@pytest.fixture(scope="session")
def first_boot_disk(workshop: Workshop, deb: Path) -> Path:
    """A disk that waits for its first boot: secboot installed, its unit enabled, zipl run."""
    bed = require_ipl()
    return workshop.directory("first-boot", lambda path: install(bed, path, deb, bed.systemd_disk))


@pytest.fixture(scope="session")
def newest_first_boot_disk(workshop: Workshop, deb: Path) -> Path:
    """The same, with the newest systemd."""
    bed, disk = require_ipl(), newest_systemd.image()
    if not disk.exists():
        # Also in CI: a suite that is being published can be out of step for hours.
        not_here("the newest systemd could not be downloaded")
    return workshop.directory("newest-first-boot", lambda path: install(bed, path, deb, disk))


def install(bed: TestBed, directory: Path, deb: Path, disk: Path) -> None:
    """Install secboot on a copy of the disk."""
    files = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", deb], capture_output=True, check=True
    ).stdout
    guest = Guest.create(bed, directory, None, disk)
    given: dict[str, bytes | str] = {
        "secboot.tar": files,
        "zipl.conf": ZIPL_CONF,
        "soon.conf": SOON,
    }
    done = guest.run(INSTALL, given, direct=ROOT)
    assert done.marker("JOB") == "0", done.console


@pytest.fixture
def machine(bed: TestBed, first_boot_disk: Path, tmp_path: Path) -> Guest:
    """A machine with that disk, which has never booted."""
    return Guest.create(bed, tmp_path, None, first_boot_disk / "disk.img")


@pytest.fixture
def newest_machine(bed: TestBed, newest_first_boot_disk: Path, tmp_path: Path) -> Guest:
    """The same, with the newest systemd."""
    return Guest.create(bed, tmp_path, None, newest_first_boot_disk / "disk.img")


def probe() -> str:
    """The unit that confirms a trial, which reads the kernel's log, and does nothing else here."""
    lines = (CHECKOUT / "packaging/systemd/secboot-trial.service").read_text().splitlines()
    program = "ExecStart=/usr/bin/python3 /run/probe.py"
    kept = [program if each.startswith("ExecStart=") else each for each in lines]
    return "\n".join(each for each in kept if not each.startswith("ExecCondition=")) + "\n"


def state(active: str, result: str, status: int, condition: str = "yes") -> dict[str, str]:
    """What systemd shows of a unit that was started once at most."""
    return dict(zip(SHOWN, (active, result, str(status), "0", condition), strict=True))


def test_a_profile_with_an_error_then_the_right_one(machine: Guest, tmp_path: Path) -> None:
    wrong = "version: 1\nparameters:\n  swiotlb: 512M\n"
    put(machine.disk, tmp_path, {"/etc/secboot/profiles/guest.yaml": (0o100644, wrong)})

    first = boot(machine, f"rm /etc/secboot/profiles/guest.yaml\n{NOTHING_TO_CONFIRM}{CHECK}")
    second = boot(machine, TRY)
    number = second.result.output("number").strip()
    third = boot(
        machine,
        VERIFY + CONFIRMED + CHECK + PROBE,
        {"probe.service": probe(), "probe.py": READ_LOG},
        number,
    )

    first.require_up(BEFORE)
    first.require_failed(2)
    # Debian's preset enables all units at a first boot; this unit must be enabled explicitly.
    assert first.enabled() == {UNIT}
    assert "guest.yaml:3:" in first.result.output("journal")
    # A failed check is in the metrics. The unit has succeeded, with the exit code of the check.
    assert first.result.status("started") == 0
    assert "/var/lib/secboot/checkpoints" in first.result.output("unconfirmed")
    assert first.properties("verified") == state("inactive", "success", 5)
    assert first.failed_checks() == {"configured", "inherited", "installed", "running", "effective"}
    # If it has not done its work, it tries again at the next boot, which is like the previous one.
    second.require_up(BEFORE)
    second.require_done()
    assert first.result.output("machine") == second.result.output("machine") != "uninitialized\n"
    # A trial that has not booted is not confirmed, which is not a failure.
    assert second.result.status("trial") == 0, second.result.output("trial")
    assert second.properties("waiting") == state("inactive", "exec-condition", 0, "no")
    # The work is only done once.
    third.require_up(TRIED)
    third.require_not_run()
    assert third.result.status("verify") == 0, third.result.output("verify")
    # The trial has booted, and its unit, with the rights that it leaves to zipl, has confirmed it.
    assert third.enabled() == {UNIT, TRIAL}
    assert third.properties("confirmed") == state("inactive", "success", 0)
    assert "zipl wrote the boot record" in third.result.output("confirmation")
    assert "The trial of checkpoint" in third.result.output("confirmation")
    assert TRIED in third.result.output("conf")
    assert "secboot-trial" not in third.result.output("conf")
    # The kernel only sets up the buffer in Secure Execution.
    assert third.properties("verified") == state("inactive", "success", 5)
    assert third.failed_checks() == {"effective"}
    # With the rights that the other unit leaves.
    assert "log read, memory refused" in third.result.output("probe")


def test_a_zipl_that_fails(newest_machine: Guest, tmp_path: Path) -> None:
    put(
        newest_machine.disk,
        tmp_path,
        {
            "/usr/sbin/zipl": (0o100755, ZIPL_THAT_FAILS_ONCE),
            PRESET: (0o100644, "disable *\n"),
        },
    )

    first = boot(newest_machine, "run failed ls /var/lib/zipl-failed\n")
    second = boot(newest_machine, CHECK)

    first.require_up(BEFORE)
    first.require_failed(3)
    # RHEL's preset disables all units, except those that the image has enabled.
    assert first.enabled() == {UNIT}
    assert "made to fail" in first.result.output("journal")
    assert first.result.status("failed") == 0
    # The boot record had the new line for a moment; the old one was restored.
    second.require_up(BEFORE)
    second.require_done()
    # The timer has written the metrics: the line is configured and installed, but does not run yet.
    assert second.properties("verified") == state("inactive", "success", 5)
    assert second.failed_checks() == {"running", "effective"}


def test_a_shutdown_while_zipl_runs(machine: Guest, tmp_path: Path) -> None:
    zipl = (0o100755, ZIPL_IN_WHICH_THE_UNIT_IS_STOPPED)
    put(machine.disk, tmp_path, {"/usr/sbin/zipl": zipl})

    first = boot(machine, "run ended cat /var/lib/zipl-ended\n")
    second = boot(machine)

    first.require_up(BEFORE)
    first.require_failed(130)
    # zipl completed, and again for the rollback: no boot record was partly written.
    assert first.result.output("ended").split() == ["ended", "0"] * 2
    second.require_up(BEFORE)
    second.require_done()
