"""The five stages, from the first edit to the reboot."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.status.stages import Stage, Status
from tests.status.scenes import RECORDED, Scene, add_system, log, make_scene, only, verdicts
from tests.trees import hide_boot_record

LINE = "root=/dev/vda1 swiotlb=262144 mark=section"
DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
SE_GUEST_LOG = log("software IO TLB: mapped [mem 0x5a5fe000-0x7a5fe000] (512MB)")


def why(status: Status, stage: Stage) -> str:
    return " / ".join(cause.message for cause in only(status).stages[stage].causes)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = make_scene(tmp_path, "section")
    scene.write("etc/os-release", DEBIAN)
    scene.link_kernels()
    return scene


def test_a_tree_that_is_not_running_reaches_installed(scene: Scene) -> None:
    status = scene.status("guest")

    assert verdicts(status) == "+++.."
    assert only(status).stages[Stage.RUNNING].reason == "not the running system"
    assert status.notices == ()


def test_what_was_never_installed_is_not_running_and_the_step_is_the_same(scene: Scene) -> None:
    scene.replace("etc/zipl.conf", "swiotlb=262144", "quiet")
    (scene.tree / "boot/bootmap").unlink()
    add_system(scene, "z16-kvm-guest-unpack", "quiet")

    stages = only(scene.status("guest", SE_GUEST_LOG)).stages

    assert [cause.code for cause in stages[Stage.RUNNING].causes] == ["not-installed"]
    assert stages[Stage.RUNNING].causes[0].hint == stages[Stage.INSTALLED].causes[0].hint == "zipl"


def test_a_secure_execution_guest_that_has_it_all(scene: Scene) -> None:
    scene.secure_kernel()
    add_system(scene, "z16-se-guest", LINE, "guest")

    status = scene.status("guest", SE_GUEST_LOG)

    assert verdicts(status) == "...++"
    assert only(status).stages[Stage.EFFECTIVE].reason == "the bounce buffer has 512 MiB"
    assert status.origin is not None
    assert status.origin.description == "it is the line inside the Secure Execution image"
    assert status.notices == ()


def test_a_host_that_has_it_all(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section")
    scene.write("etc/os-release", DEBIAN)
    scene.link_kernels()
    scene.write("etc/secboot/profiles/a.yaml", "version: 1\nparameters: {mark: section}\n")
    add_system(scene, "z16-lpar-se-capable", LINE, "host-on-6.12")

    status = scene.status("a", log())

    assert verdicts(status) == "++++."
    assert status.origin is not None
    assert status.origin.description == "it matches 'linux' in the boot record (the default)"


def test_an_edit_that_zipl_has_not_seen_is_configured_and_not_installed(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "bls")
    conf = "boot/loader/entries/a.conf"
    scene.replace(conf, "quiet", "quiet swiotlb=262144")
    scene.write("etc/secboot/profiles/a.yaml", "version: 1\nentries: {include: [Linux A]}\n"
                "parameters: {swiotlb: {at_least: 512 MiB}}\n")  # fmt: skip

    status = scene.status("a")

    assert verdicts(status)[0::2] == "+-."
    assert "older line" in only(status).stages[Stage.INSTALLED].reason
    assert [n.code for n in status.notices] == ["boot-record-stale"]
    assert status.notices[0].message == (
        "/boot/bootmap has a different parameter line for 'Linux A'"
    )


def test_removed_from_the_files_the_record_still_has_it(scene: Scene) -> None:
    scene.replace("etc/zipl.conf", " swiotlb=262144", "")

    status = scene.status("guest")

    assert verdicts(status) == "--+.."
    assert "older line" in only(status).stages[Stage.INSTALLED].reason


def test_a_record_for_the_disks_of_a_mirror_is_read(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section", recorded="2.40.0-cdl-scsi512-4096")
    scene.write("etc/os-release", DEBIAN)
    scene.link_kernels()

    status = scene.status("guest")

    assert verdicts(status) == "+++.."
    assert status.notices == ()


def test_without_a_bootmap_nothing_is_installed(tmp_path: Path) -> None:
    status = make_scene(tmp_path, "section", recorded=None).status("guest")

    assert only(status).stages[Stage.INSTALLED].verdict == "missing"
    assert "zipl has not run" in only(status).stages[Stage.INSTALLED].reason


@pytest.mark.parametrize("content", [b"", b"zIPL" * 1000])
def test_with_a_damaged_bootmap_nothing_is_installed(scene: Scene, content: bytes) -> None:
    scene.write("boot/bootmap", content)

    status = scene.status("guest")

    assert verdicts(status) == "++-.."
    assert why(status, Stage.INSTALLED) == "zipl must write the boot record"
    assert {"boot-record-stale"} == {n.code for n in status.notices}


def test_a_record_of_a_newer_zipl_that_makes_no_sense_is_unknown(scene: Scene) -> None:
    scene.write("boot/bootmap", b"zIPL" * 1000)
    scene.write("usr/sbin/zipl", b"\x7fELF\0" + b"9.1.0-build-20300101" + b"\0")
    (scene.tree / "usr/sbin/zipl").chmod(0o755)

    assert verdicts(scene.status("guest")) == "++?.."


def test_a_bootmap_that_may_not_be_read_is_unknown_and_its_age_the_fallback(scene: Scene) -> None:
    _hide_record(scene)
    old = verdicts(scene.status("guest"))
    scene.replace("etc/zipl.conf", "mark=section", "mark=edited")

    younger = scene.status("guest")

    assert old == "++?.."
    assert verdicts(younger) == "++-.."
    assert {"boot-record-stale", "boot-record-unreadable"} == {n.code for n in younger.notices}


def _hide_record(scene: Scene) -> None:
    hide_boot_record(scene.tree, RECORDED)


def test_what_is_unknown_about_the_record_is_not_a_cause(scene: Scene) -> None:
    _hide_record(scene)
    add_system(scene, "z16-kvm-guest-unpack", "root=/dev/vda1 mark=section")

    status = scene.status("guest", log())

    assert verdicts(status)[2:4] == "?-"
    assert "did not hold it" not in why(status, Stage.RUNNING)
    assert why(status, Stage.RUNNING).startswith("unknown whether the boot record contains it")


def test_a_replaced_kernel_makes_the_record_stale(scene: Scene) -> None:
    scene.write("boot/vmlinuz", b"another kernel" * 9000)

    status = scene.status("guest")

    assert status.next_ipl.record.differences == (
        "boots 'linux' with a different kernel than /boot/vmlinuz",
    )


def test_before_the_reboot_the_running_line_lacks_it(scene: Scene) -> None:
    add_system(scene, "z16-kvm-guest-unpack", "root=/dev/vda1 mark=section")

    status = scene.status("guest", log())

    assert verdicts(status) == "+++--"
    assert why(status, Stage.RUNNING).startswith("the system has not been IPLed since zipl ran")


def test_on_red_hat_a_new_kernel_takes_the_file_or_the_running_line(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "bls")
    scene.write("etc/os-release", 'ID="rhel"\nVERSION_ID="9.4"\n')
    line = "root=/dev/vda1 swiotlb=262144"
    add_system(scene, "z16-se-guest", f"{line} BOOT_IMAGE=2 initrd=x", "guest")
    nobody = scene.status("guest")
    by_running = scene.status("guest", log())
    scene.write("etc/kernel/cmdline", "root=/dev/vda1\n")
    by_file = scene.status("guest", log())

    inherited = [only(s).stages[Stage.INHERITED].verdict for s in (nobody, by_running, by_file)]
    assert inherited == ["unknown", "met", "missing"]
    assert by_running.new_kernel.line == line


def test_other_distributions_are_unknown(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "section")
    scene.write("etc/os-release", "ID=slackware\n")

    assert only(scene.status("guest")).stages[Stage.INHERITED].verdict == "unknown"


def test_every_entry_counts(tmp_path: Path) -> None:
    status = make_scene(tmp_path, "menu").status("host")

    first, second, silent = status.entries
    assert first.configured[0].verdict == first.installed[0].verdict == "met"
    assert second.installed[0].verdict == silent.installed[0].verdict == "missing"
    assert only(status).stages[Stage.INSTALLED].reason.endswith("(2 of 3 boot entries)")


def test_without_a_profile_there_is_nothing_to_require(scene: Scene) -> None:
    status = scene.status(None)

    assert (status.profile, status.requirements) == (None, ())
    assert status.entries[0].recorded_parameters == LINE


def test_a_value_from_the_zipl_environment_counts_as_the_kernel_gets_it(tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "bls")
    profile = (
        "version: 1\nentries: {include: [Linux C]}\nparameters: {swiotlb: {at_least: 512 MiB}}\n"
    )
    scene.write("etc/secboot/profiles/c.yaml", profile)
    as_recorded = scene.status("c")
    scene.replace("etc/ziplenv", "swiotlb=262144", "swiotlb=1")

    edited = scene.status("c")

    assert verdicts(as_recorded)[0::2] == "++."
    assert verdicts(edited)[0::2] == "-+."


@pytest.mark.parametrize("content", [None, b"zIPL" * 1000], ids=["missing", "damaged"])
def test_a_record_that_holds_nothing_has_not_lacked_anything(
    scene: Scene, content: bytes | None
) -> None:
    """The system was booted with a boot record that is gone: its content is no longer known."""
    add_system(scene, "z16-kvm-guest-unpack", "root=/dev/vda1 mark=section")
    (scene.tree / "boot/bootmap").unlink()
    if content is not None:
        scene.write("boot/bootmap", content)

    status = scene.status("guest", log())

    assert why(status, Stage.RUNNING).startswith("not installed either (")
    assert "hold it either" not in why(status, Stage.RUNNING)


def test_the_line_of_an_entry_that_was_removed_since(tmp_path: Path) -> None:
    """It runs, and a reboot would start it again: the boot record still has it."""
    scene = make_scene(tmp_path, "bls")
    add_system(scene, "z16-lpar-se-capable", "root=/dev/vda1 quiet")
    (scene.tree / "boot/loader/entries/a.conf").unlink()

    origin = scene.status("guest", log()).origin

    assert origin is not None
    assert origin.description == (
        "it matches a program without a boot entry in the boot record, menu number 3"
    )
