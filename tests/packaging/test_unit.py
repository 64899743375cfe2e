"""The units: systemd takes them, and they can neither loop nor restart a machine."""

from __future__ import annotations

import re
import shutil
from configparser import RawConfigParser
from pathlib import Path

import pytest

from secboot.cli.options import TIMEOUT
from secboot.errors import ExitCode
from tests.available import not_here, unavailable
from tests.packaging import debian
from tests.packaging.programs import CHECKOUT, require, run

SPEC = CHECKOUT / "packaging/rpm/secboot.spec"
UNIT = CHECKOUT / "packaging/systemd/secboot-apply@.service"
TRIAL = UNIT.with_name("secboot-trial.service")
VERIFY = UNIT.with_name("secboot-verify@.service")
TIMER = UNIT.with_name("secboot-verify@.timer")


def read(path: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys keep their letters
    parser.read(path)
    return parser


@pytest.fixture
def unit() -> RawConfigParser:
    return read(UNIT)


@pytest.fixture(params=[UNIT, TRIAL], ids=lambda path: str(path.name))
def each(request: pytest.FixtureRequest) -> RawConfigParser:
    return read(request.param)


@pytest.mark.parametrize("path", [UNIT, TRIAL, VERIFY, TIMER], ids=lambda path: str(path.name))
def test_systemd_accepts_it(path: Path, tmp_path: Path) -> None:
    program = tmp_path / "secboot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / path.name
    # The program is not installed here, and neither are its manual pages.
    copy.write_text(path.read_text().replace("/usr/bin/secboot", str(program)))

    done = run(require("systemd-analyze"), "verify", "--man=no", copy)

    said = [line for line in done.stderr.splitlines() if "secboot" in line]
    assert said == []
    assert done.returncode == 0, done.stderr


def of_release(release: debian.Release, name: str) -> list[str]:
    command = release.program(name)
    if command is None:
        missing = not_here if release is debian.SID else unavailable
        missing("this release of systemd is not unpacked; run packaging/setup")
    return command


@pytest.mark.parametrize("release", [debian.DEBIAN_13, debian.SID], ids=["debian-13", "sid"])
def test_newer_releases_of_systemd_accept_them(release: debian.Release, tmp_path: Path) -> None:
    command = of_release(release, "systemd-analyze")
    units = [tmp_path / path.name for path in (UNIT, TRIAL, VERIFY, TIMER)]
    for unit in units:
        text = (UNIT.parent / unit.name).read_text()
        unit.write_text(text.replace("/usr/bin/secboot", "/usr/bin/env"))

    def found() -> list[str]:
        done = run(*command, "verify", "--man=no", *units)
        if release is debian.SID and "error while loading shared libraries" in done.stderr:
            not_here(f"sid's systemd needs more than is unpacked: {done.stderr[-100:]}")
        return [line for line in done.stderr.splitlines() if "secboot" in line]

    assert found() == []
    units[0].write_text(units[0].read_text().replace("Type=oneshot", "Type=onceonly"))
    assert any("onceonly" in line for line in found())


@pytest.mark.parametrize("release", [None, debian.DEBIAN_13], ids=["debian-12", "debian-13"])
def test_removing_the_rpm_disables_all_instances(
    release: debian.Release | None, tmp_path: Path
) -> None:
    """With what %systemd_preun runs; of a template, systemd disables all instances."""
    (words,) = re.findall(r"^%systemd_preun (.*)", SPEC.read_text(), re.MULTILINE)
    systemctl = of_release(release, "systemctl") if release else [require("systemctl")]
    units = tmp_path / "usr/lib/systemd/system"
    shutil.copytree(UNIT.parent, units)
    enabled = [TRIAL.name, *(UNIT.name.replace("@", f"@{name}") for name in ("guest", "host"))]

    for verb, named in (
        ("enable", [*enabled, "secboot-verify@guest.timer"]),
        ("disable", words.split()),
    ):
        done = run(*systemctl, f"--root={tmp_path}", verb, *named)
        assert done.returncode == 0, done.stderr
        links = [path for path in (tmp_path / "etc").rglob("*") if path.is_symlink()]
        assert len(links) == (4 if verb == "enable" else 0)


def test_a_mistake_would_be_found(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("Type=oneshot", "Type=onceonly"))

    done = run(require("systemd-analyze"), "verify", "--man=no", copy)

    assert "onceonly" in done.stderr


def test_it_runs_until_it_has_succeeded_once(unit: RawConfigParser) -> None:
    (_, marker) = unit["Service"]["ExecStartPost"].split(" ")

    # systemd runs ExecStartPost= of a oneshot unit only after ExecStart= has succeeded.
    assert unit["Unit"]["ConditionPathExists"] == f"!{marker}"
    assert marker == f"/var/lib/{unit['Service']['StateDirectory']}/%i"


def test_it_neither_restarts_itself_nor_the_machine(each: RawConfigParser) -> None:
    keys = {key for section in each.sections() for key in each[section]}

    assert each["Service"]["Type"] == "oneshot"
    assert not keys & {"Restart", "OnFailure", "FailureAction", "SuccessAction", "JobTimeoutAction"}
    # Nothing waits for it: the boot goes on without it.
    assert not keys & {"Before", "RequiredBy"}
    assert each["Install"]["WantedBy"] == "multi-user.target"


def test_a_shutdown_leaves_zipl_the_time_that_secboot_gives_it(each: RawConfigParser) -> None:

    def seconds(key: str) -> int:
        return 60 * int(each["Service"][key].removesuffix("min"))

    # zipl checks, writes the boot record, and writes it again when something fails after it; when
    # secboot is stopped, no more than the last two are left.
    assert seconds("TimeoutStartSec") >= 3 * TIMEOUT
    assert seconds("TimeoutStopSec") >= 2 * TIMEOUT
    # The signal is for secboot alone.
    assert each["Service"]["KillMode"] == "mixed"


def test_the_name_of_a_profile_arrives_unchanged(unit: RawConfigParser) -> None:
    # %I would make host/off of host-off.
    assert unit["Service"]["ExecStart"] == "/usr/bin/secboot apply %i"


def test_a_trial_is_confirmed_only_where_it_could_be() -> None:
    service = read(TRIAL)["Service"]

    # A refusal with 1 in ExecCondition= is not a failure of the unit (systemd.service(5)).
    # Only ExecStart= prints the plan.
    assert service["ExecCondition"] == f"{service['ExecStart']} --dry-run --quiet"
    assert service["ExecStart"] == "/usr/bin/secboot confirm --stage effective"


HARDENED = {
    *("NoNewPrivileges", "LockPersonality", "RestrictRealtime", "ProtectClock", "PrivateNetwork"),
    *("ProtectHome", "ProtectControlGroups", "ProtectHostname"),
}


def test_it_has_no_more_rights_than_zipl_needs(each: RawConfigParser) -> None:
    service = each["Service"]

    assert {key for key in service if service[key] == "yes"} >= HARDENED
    assert service["SystemCallArchitectures"] == "native"
    # zipl makes device nodes, and the kernel's modules are looked at.
    assert not {"PrivateDevices", "ProtectKernelModules", "ProtectSystem"} & set(service)


@pytest.mark.parametrize("path", [UNIT, TRIAL], ids=lambda path: str(path.name))
def test_systemd_finds_it_less_exposed_than_a_plain_unit(path: Path, tmp_path: Path) -> None:
    program = tmp_path / "secboot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace("/usr/bin/secboot", str(program)))
    words = ("security", "--offline=yes", "--no-pager", "--threshold=85")

    done = run(require("systemd-analyze"), *words, copy)

    # 96 of 100 is a unit without any of this.
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_what_verify_finds_is_no_failure_of_the_unit() -> None:
    service, timer = read(VERIFY), read(TIMER)

    assert service["Service"]["SuccessExitStatus"] == str(int(ExitCode.DIFFERENCE))
    words = service["Service"]["ExecStart"].split()
    directory = str(Path(words[words.index("--textfile") + 1]).parent)
    assert service["Service"]["ReadWritePaths"] == f"-{directory}"
    # Without a path of its own, a timer starts the service of its name.
    assert "Unit" not in timer["Timer"]
    assert TIMER.stem == VERIFY.stem
