"""Whether the bounce buffer suits the running guest: its share of the memory, its high-water mark."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.finding import Severity
from secboot.layout.detect import detect_layout
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.running.kernel_log import NO_MESSAGES, KernelMessages
from secboot.running.system import read_live_facts
from secboot.status.checks import Outcome, make_checks
from secboot.status.stages import Stage, Status
from secboot.system.root import Root
from tests.status.scenes import Scene

DEBUG = "sys/kernel/debug/swiotlb"
ABOUT_SIZE = {"swiotlb-share", "bounce-buffer-tight", "bounce-buffer-large"}
MAPPED = "software IO TLB: mapped [mem 0x5f000000-0x7f000000] (512MB)"


@pytest.fixture
def guest(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.write("etc/os-release", "ID=debian\n")
    scene.write(
        "etc/zipl.conf",
        "[defaultboot]\ndefault=x\n[x]\ntarget=/boot\nimage=/boot/vmlinuz\n"
        "parameters=root=/dev/vda1 swiotlb=262144\n",
    )
    scene.write("boot/vmlinuz", b"")
    scene.write("sys/firmware/uv/prot_virt_guest", "1\n")
    scene.write("proc/cmdline", "root=/dev/mapper/root swiotlb=262144\n")
    return scene


def memory(scene: Scene, mib: int) -> None:
    scene.write("proc/meminfo", f"MemTotal:  {mib * 1024} kB\nMemFree: 1 kB\n")


def buffer(scene: Scene, held: int, used: int | None = None) -> None:
    scene.write(f"{DEBUG}/io_tlb_nslabs", f"{held}\n")
    if used is not None:
        scene.write(f"{DEBUG}/io_tlb_used_hiwater", f"{used}\n")


def said(scene: Scene, messages: KernelMessages = NO_MESSAGES) -> dict[str, str]:
    notices = scene.status("guest", messages).notices
    return {each.code: each.message for each in notices if each.code in ABOUT_SIZE}


@pytest.mark.parametrize(
    ("mib", "codes"),
    [
        # MemTotal does not include the buffer and the kernel's own memory.
        (1430, set()),
        (480, {"swiotlb-share"}),
        (1100, {"swiotlb-share"}),
        (64000, set()),
    ],
)
def test_the_share_of_the_memory_that_the_guest_has(
    guest: Scene, mib: int, codes: set[str]
) -> None:
    memory(guest, mib)
    buffer(guest, 262144)

    assert said(guest).keys() == codes


def test_a_larger_buffer_than_what_is_asked_for_counts_as_it_is(guest: Scene) -> None:
    memory(guest, 960)
    buffer(guest, 524288)

    assert said(guest)["swiotlb-share"].startswith("a bounce buffer of 1 GiB takes more than")


def test_the_log_tells_the_buffer_where_debugfs_does_not(guest: Scene) -> None:
    memory(guest, 1430)

    assert said(guest, KernelMessages.read([MAPPED], complete=True)) == {}


def test_without_the_buffer_the_memory_of_a_secure_guest_is_unknown(guest: Scene) -> None:
    memory(guest, 480)
    assert said(guest) == {}

    guest.write("sys/firmware/uv/prot_virt_guest", "0\n")
    assert (
        "512 MiB takes more than a quarter of the guest's 512 MiB of memory"
        in (said(guest)["swiotlb-share"])
    )


def planned(scene: Scene, profile: str) -> list[str]:
    with Root(scene.tree) as root:
        made = make_plan(
            read_profile(profile, root),
            scene.machine(running=True),
            detect_layout(root),
            with_zipl=False,
            live=read_live_facts(root, "/boot/bootmap"),
        )
    return [each.message for each in made.warnings if each.code == "swiotlb-share"]


def test_a_plan_warns_of_it_by_the_memory_where_it_runs_and_else_by_that_of_the_profile(
    guest: Scene,
) -> None:
    guest.write("etc/secboot/profiles/small.yaml", "version: 1\nextends: guest\nmemory: 1 GiB\n")
    assert len(planned(guest, "small")) == 1
    assert planned(guest, "guest") == []

    memory(guest, 480)
    buffer(guest, 262144)
    assert len(planned(guest, "guest")) == 1
    (only,) = planned(guest, "small")
    assert only.split("; ")[0].endswith("1 GiB of memory")

    memory(guest, 8000)
    assert planned(guest, "small") == []

    # The line of an entry may set more than the profile requires.
    memory(guest, 2000)
    assert planned(guest, "guest") == []
    guest.replace("etc/zipl.conf", "swiotlb=262144", "swiotlb=524288")
    assert (
        "1 GiB takes more than a quarter of the guest's 2560 MiB of memory"
        in planned(guest, "guest")[0]
    )


@pytest.mark.parametrize(
    ("held", "used", "code", "words"),
    [
        (262144, 262144, "bounce-buffer-tight", "512 MiB of the 512 MiB bounce buffer were"),
        (262144, 240000, "bounce-buffer-tight", "were in use at once"),
        (262144, 200000, "", ""),
        (262144, 40000, "", ""),
        (262144, 30000, "bounce-buffer-large", "at most 59 MiB of the 512 MiB bounce buffer"),
        (524288, 1000, "bounce-buffer-large", "of the 1 GiB bounce buffer"),
        # The advice is never less than 128 MiB.
        (131072, 1, "", ""),
        (262144, 0, "", ""),
        (262144, None, "", ""),
    ],
)
def test_the_high_water_mark(
    guest: Scene, held: int, used: int | None, code: str, words: str
) -> None:
    buffer(guest, held, used)

    found = said(guest)

    assert found.keys() == ({code} if code else set())
    assert all(words in each for each in found.values())


def test_what_to_do_about_it(guest: Scene) -> None:
    def hint(held: int, used: int) -> str | None:
        buffer(guest, held, used)
        notices = guest.status("guest", NO_MESSAGES).notices
        return next(each.hint for each in notices if each.code in ABOUT_SIZE)

    assert hint(262144, 262144) == "in the profile, set swiotlb to at_least: 1 GiB"
    assert "cannot place a larger buffer" in (hint(524288, 524288) or "")
    assert "128 MiB is enough and leaves the guest 384 MiB more" in (hint(262144, 100) or "")


def test_a_buffer_that_grows_needs_no_advice(guest: Scene) -> None:
    buffer(guest, 262144, 262144)
    guest.write("proc/sys/kernel/osrelease", "7.3.0\n")

    assert said(guest) == {}


def outcomes(status: Status) -> dict[str, Outcome]:
    checks = make_checks(status, Stage.EFFECTIVE)
    return {each.id: each.outcome for each in checks if each.id.startswith("machine.")}


def test_verify_warns_of_a_tight_one_and_leaves_a_large_one_alone(guest: Scene) -> None:
    buffer(guest, 262144, 262144)
    assert outcomes(guest.status("guest", NO_MESSAGES))["machine.bounce-buffer-tight"] == "WARN"

    buffer(guest, 262144, 100)
    status = guest.status("guest", NO_MESSAGES)
    assert "machine.bounce-buffer-large" not in outcomes(status)
    (notice,) = (each for each in status.notices if each.code == "bounce-buffer-large")
    assert notice.severity is Severity.NOTE
    effective = status.requirements[0].stages[Stage.EFFECTIVE]
    assert effective.reason == (
        "the bounce buffer has 512 MiB, of which at most 1 MiB were in use at once"
    )
