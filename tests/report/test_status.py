"""Status and checks as text, JSON and metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from secboot.finding import Finding, Severity
from secboot.report.made import made
from secboot.report.monitoring import metrics
from secboot.report.status import status_document, status_text
from secboot.report.style import PLAIN, Style, cause_lines
from secboot.report.verify import verify_document, verify_text
from secboot.running.firmware import INDICATIONS_NOTE
from secboot.status.checks import Check, Outcome, make_checks, worst
from secboot.status.stages import Stage, Status
from tests.command import secboot
from tests.report.test_schemas import schema_of
from tests.status.scenes import Scene, add_system, log, make_scene

LINE = "root=/dev/vda1 swiotlb=262144 mark=section"
SYSTEMS = [
    ("z16-se-guest", "guest"),
    ("z16-lpar-se-capable", "host-on-6.12"),
    ("s390-zvm", None),
    ("z16-lpar-se-capable", "host-5.10-no-flags"),
]


def running(tmp_path: Path, proc: str, uv: str | None, profile: str | None) -> Status:
    scene = make_scene(tmp_path, "section")
    add_system(scene, proc, LINE, uv)
    return scene.status(profile, log("prot_virt: Reserving 98MB as ultravisor base storage"))


@pytest.mark.parametrize(("proc", "uv"), SYSTEMS)
@pytest.mark.parametrize("profile", ["guest", "host", None])
def test_documents_of_running_systems(
    tmp_path: Path, proc: str, uv: str | None, profile: str | None
) -> None:
    status = running(tmp_path, proc, uv, profile)
    document = status_document(status)
    Draft202012Validator(schema_of(document)).validate(json.loads(json.dumps(document)))

    for stage in Stage:
        checks = verify_document(status, make_checks(status, stage), stage)
        Draft202012Validator(schema_of(checks)).validate(json.loads(json.dumps(checks)))


@pytest.mark.parametrize(("proc", "uv"), SYSTEMS)
def test_ibm_s_note_stands_where_the_indications_are_shown(
    tmp_path: Path, proc: str, uv: str | None
) -> None:
    status = running(tmp_path, proc, uv, "guest")
    checks = make_checks(status, Stage.EFFECTIVE)

    assert INDICATIONS_NOTE in status_text(status, PLAIN)
    assert INDICATIONS_NOTE in verify_text(checks, Stage.EFFECTIVE, PLAIN)
    assert status_document(status)["running"]["ultravisor"]["note"] == INDICATIONS_NOTE


def test_checks_that_differ_in_their_boot_entries_are_one() -> None:
    cause = Finding("not-applied", Severity.NOTE, "boot entry not yet updated", hint="do this")

    def check(subject: str, outcome: Outcome, message: str) -> Check:
        causes = (cause,) if outcome is Outcome.FAIL else ()
        return Check("configured.x", subject, outcome, message, causes)

    checks = (
        check("a", Outcome.FAIL, "not set"),
        check("b", Outcome.PASS, "x is set"),
        check("c", Outcome.FAIL, "not set"),
        check("", Outcome.WARN, "odd"),
        check("", Outcome.WARN, "odd"),
    )

    assert verify_text(checks, Stage.INSTALLED, PLAIN) == (
        """\
FAIL configured.x (2 boot entries): not set
       'a'
       'c'
       boot entry not yet updated: do this
PASS configured.x 'b': x is set
WARN configured.x: odd
WARN configured.x: odd
Checks up to 'installed': 1 passed, 2 warnings, 2 failed.
"""
    )


def test_a_cause_keeps_its_hint_whole() -> None:
    one = Finding("a", Severity.NOTE, "too long", hint="run this")
    two = one._replace(hint="run this\nor that")
    narrow = Style(colour=False, width=18)

    assert cause_lines(one, PLAIN, "  ") == ["  too long: run this"]
    assert cause_lines(one, narrow, "  ") == ["  too long:", "    run this"]
    assert cause_lines(two, PLAIN, "  ") == ["  too long:", "    run this", "    or that"]
    assert cause_lines(one._replace(hint=None), PLAIN, "") == ["too long"]
    assert cause_lines(two, PLAIN, "  ", named=False) == ["  run this", "  or that"]


def test_the_text_of_a_guest_that_is_right(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section")
    scene.write("etc/os-release", "ID=debian\n")
    scene.link_kernels()
    scene.secure_kernel()
    add_system(scene, "z16-se-guest", LINE, "guest")

    text = status_text(scene.status("guest", log("software IO TLB: mapped [mem 0] (512MB)")), PLAIN)

    assert text.replace(str(tmp_path), "/") == (
        f"""\
guest: yes (running, effective)
Profile       guest (<shipped>/guest.yaml)
Machine       /, zipl.conf sections{_layout_suffix(text)}
Boot record   /boot/bootmap, 1 boot entry, up to date
Running       kernel 6.1.0-21-s390x, machine 3931 (z16 / LinuxONE 4), KVM
              facility 158 (ultravisor) yes, facility 161 (unpack) no
              /sys/firmware/uv: prot_virt_host 0, prot_virt_guest 1
              {INDICATIONS_NOTE}
Command line  {LINE}
              it is the line inside the Secure Execution image

swiotlb at least 512 MiB (262144 blocks of 2 KiB)
  1 configured -         the parameter line is inside the Secure Execution image
  2 inherited  -         a new kernel boots only after the Secure Execution image /boot/vmlinuz is rebuilt
  3 installed  -         the parameter line is inside the Secure Execution image
  4 running    yes       swiotlb=262144 is 262144 blocks (512 MiB)
  5 effective  yes       the bounce buffer has 512 MiB

Boot entries
  linux  (default)
     the parameter line is inside the Secure Execution image

Next
  nothing: all applicable stages are reached
"""
    )


def test_the_text_says_what_hosting_costs_and_gives(tmp_path: Path) -> None:
    text = status_text(running(tmp_path, "z16-lpar-se-capable", "host-on-6.12", "host"), PLAIN)

    assert (
        "              98 MiB of memory reserved for the ultravisor, at most 16384 secure guests at a"
        " time, their memory below 0x3ffffffffff000\n"
    ) in text


def _layout_suffix(text: str) -> str:
    found = re.search(r"zipl\.conf sections(.*)", text)
    return "" if found is None else found[1]


def test_metrics_are_in_the_text_exposition_format(tmp_path: Path) -> None:
    status = running(tmp_path, "z16-lpar-se-capable", "host-on-6.12", "host")
    checks = make_checks(status, Stage.EFFECTIVE)

    text = metrics("host", checks, Stage.EFFECTIVE, made({}))

    sample = re.compile(r'[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\.)*",?)+\} -?\d+')
    for line in text.splitlines():
        assert line.startswith("# ") or sample.fullmatch(line), line
    assert 'secboot_check{check="effective.prot_virt",entry="",file="",profile="host"} 1' in text
    assert (
        'secboot_check{check="installed.prot_virt",entry="linux",file="/etc/zipl.conf",profile="host"} 0'
        in text
    )


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = make_scene(tmp_path / "root", "section")
    scene.write("etc/os-release", "ID=debian\n")
    scene.link_kernels()
    return scene


def test_verify_exits_with_5_for_what_is_missing(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ("--root", scene.tree)

    assert secboot(capsys, "verify", "guest", "--stage", "installed", *root).code == 0
    failed = secboot(capsys, "verify", "host", *root)
    assert failed.code == 5
    assert "FAIL configured.prot_virt 'linux': prot_virt is not set (off" in failed.out
    assert "secboot apply host" in failed.out
    assert secboot(capsys, "status", "host", *root).code == 0


def test_an_unknown_stage_is_a_warning_and_only_strict_fails(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    (scene.tree / "etc/kernel/postinst.d/zz-zipl").unlink()
    words = ("verify", "guest", "--root", scene.tree)

    said = secboot(capsys, *words)

    if "refus" not in said.err:
        assert said.code == 0
        assert "WARN inherited.swiotlb" in said.out
        assert secboot(capsys, *words, "--strict").code == 5


def test_another_tree_can_not_be_running(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    said = secboot(capsys, "verify", "guest", "--stage", "effective", "--root", scene.tree)

    assert said.code == 2
    assert "is not the running system" in said.err


def test_nothing_of_this_machine_shows_in_a_tree(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    add_system(scene, "z16-se-guest", "swiotlb=1 of-the-build-host", "guest")

    document = secboot(capsys, "status", "guest", "--root", scene.tree, "-o", "json").out

    assert json.loads(document)["running"] is None
    assert "of-the-build-host" not in document
    assert Path("/proc/cmdline").read_text().strip() not in document


def test_checks_of_a_broken_configuration_fail(scene: Scene) -> None:
    scene.replace("etc/zipl.conf", "image=/boot/vmlinuz", "image=/boot/nothing")

    checks = make_checks(scene.status("guest"), Stage.CONFIGURED)

    assert worst(checks) is Outcome.FAIL
    assert [c.id for c in checks if c.outcome is Outcome.FAIL] == ["machine.zipl-refuses"]


def test_boot_entries_that_are_all_alike_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "machine"
    secboot(capsys, "demo", root)
    alike = secboot(capsys, "status", "host", "--root", root).out
    every = secboot(capsys, "-v", "status", "host", "--root", root).out
    secboot(capsys, "set", "prot_virt=1", "--entries", "default", "--root", root)
    mixed = secboot(capsys, "status", "host", "--root", root).out

    assert "Boot entries (3, all alike; -v lists all)\n     prot_virt: configured NO" in alike
    assert "(default)" not in alike
    assert "Boot entries\n" in every
    assert "(default)" in every
    assert "Boot entries\n" in mixed
    assert "(default)" in mixed
