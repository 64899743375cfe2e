"""The verdict for samples of /proc, /sys/firmware/uv and dmesg, and the diagnosis."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from secboot.running.firmware import read_ultravisor
from secboot.status.stages import Stage
from secboot.system.root import Root
from tests.status.scenes import Scene, add_system, log, make_scene, only
from tests.trees import SAMPLES

HOST_LINE = "root=/dev/dasda1 prot_virt=1"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return make_scene(tmp_path, "section")


def effective(scene: Scene, profile: str, *lines: str, complete: bool = True) -> tuple[str, str]:
    result = only(scene.status(profile, log(*lines, complete=complete))).stages[Stage.EFFECTIVE]
    causes = [cause.message for cause in result.causes]
    return result.verdict.value, causes[0] if causes else result.reason


@pytest.mark.parametrize(
    ("proc", "uv", "verdict", "cause"),
    [
        ("z16-lpar-se-capable", "host-on-6.12", "met", "prot_virt_host is 1"),
        ("z16-lpar-se-capable", "host-capable-param-missing", "missing", "does not report why"),
        ("z16-lpar-se-capable", "host-5.10-no-flags", "unknown", "has no /sys/firmware/uv/prot"),
        ("z16-lpar-se-capable", None, "missing", "built without hosting"),
        ("z16-lpar-no-se-feature", None, "missing", "not enabled for this partition"),
        ("s390-lpar", None, "unknown", "facilities are unknown"),
        ("s390-zvm", None, "unknown", "facilities are unknown"),
        ("s390-nested-virt", None, "missing", "must run in an LPAR; this system runs under KVM"),
        ("z16-kvm-guest-unpack", None, "missing", "must run in an LPAR"),
        ("z16-se-guest", "guest", "missing", "itself a Secure Execution guest"),
    ],
)
def test_hosting(scene: Scene, proc: str, uv: str | None, verdict: str, cause: str) -> None:
    add_system(scene, proc, HOST_LINE, uv)

    found = effective(scene, "host", complete=False)

    assert found[0] == verdict
    assert cause in found[1]


def test_a_line_without_the_parameter_is_the_cause(scene: Scene) -> None:
    add_system(scene, "z16-lpar-se-capable", "quiet", "host-capable-param-missing")

    assert effective(scene, "host") == ("missing", "the kernel was not booted with prot_virt=1")


@pytest.mark.parametrize("release", ["4.18.0-372.9.1.el8.s390x", "5.3.18-24.52-default"])
def test_a_kernel_that_shows_the_ultravisor_is_not_called_too_old(
    scene: Scene, release: str
) -> None:
    add_system(
        scene, "z16-lpar-se-capable", HOST_LINE, "host-capable-param-missing", release=release
    )

    assert effective(scene, "host") == (
        "missing",
        "the kernel was booted with the parameter, but does not report why hosting is off",
    )


@pytest.mark.parametrize("release", ["next", "", "6", "5.x", "99999.1", "\u0665.\u0664"])
def test_an_invalid_release_is_not_a_cause(scene: Scene, release: str) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, release=release)

    verdict, cause = effective(scene, "host")

    assert verdict == "missing"
    assert cause.startswith("this kernel is too old (upstream since 5.7; also 4.18 in RHEL 8.6")


def test_since_6_12_no_option_of_the_build_leaves_it_out(scene: Scene) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, release="6.12.0-1-s390x")

    verdict, reason = effective(scene, "host")

    assert (verdict, "CONFIG_KVM" in reason) == ("unknown", False)
    assert reason.endswith("is /sys mounted?")


def test_an_unknown_machine_type_is_a_newer_one(scene: Scene) -> None:
    add_system(scene, "z16-lpar-no-se-feature", HOST_LINE)
    for old, cause in (("9999", "not enabled for this partition"), ("3906", "older than z15")):
        path = scene.tree / "proc/cpuinfo"
        path.write_text(re.sub(r"machine = ....", f"machine = {old}", path.read_text()))

        assert cause in effective(scene, "host")[1]


def test_an_old_kernel_is_named_as_the_cause(scene: Scene) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, release="5.4.0-100")

    assert effective(scene, "host") == ("missing", "kernel 5.4 is too old (5.7 or later is needed)")


@pytest.mark.parametrize(
    ("sample", "verdict"),
    [
        ("host-ok-upstream", "met"),
        ("host-ok-ubuntu-kmsg-id", "met"),
        ("host-fail-all", "missing"),
        ("guest-swiotlb", "missing"),
    ],
)
def test_messages_decide_where_the_kernel_gives_no_indication(
    scene: Scene, sample: str, verdict: str
) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, "host-5.10-no-flags")

    lines = (SAMPLES / "dmesg" / sample).read_text().splitlines()

    assert effective(scene, "host", *lines)[0] == verdict


@pytest.mark.parametrize(
    ("proc", "uv", "verdict", "cause"),
    [
        ("z16-se-guest", "guest", "met", "512 MiB"),
        ("z16-kvm-guest-unpack", None, "missing", "booted from a plain kernel image"),
        ("s390-nested-virt", None, "missing", "host does not offer Secure Execution"),
        ("z16-lpar-se-capable", "host-on-6.12", "missing", "this is an LPAR"),
    ],
)
def test_bounce_buffer(scene: Scene, proc: str, uv: str | None, verdict: str, cause: str) -> None:
    add_system(scene, proc, "swiotlb=262144", uv)
    lines = (SAMPLES / "dmesg" / "guest-swiotlb").read_text().splitlines()

    found = effective(scene, "guest", *lines)

    assert found[0] == verdict
    assert cause in found[1]


def test_a_missing_facility_161_has_three_causes(scene: Scene) -> None:
    add_system(scene, "z16-kvm-guest-unpack", "swiotlb=262144")
    cpuinfo = scene.tree / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace(" 161", ""))

    causes = only(scene.status("guest", log())).stages[Stage.EFFECTIVE].causes

    assert [cause.code for cause in causes] == [
        *("host-without-unpack", "cpu-model-without-unpack", "old-libvirt")
    ]


def test_a_host_that_is_itself_a_guest_is_the_one_cause(scene: Scene) -> None:
    add_system(scene, "s390-nested-virt", "swiotlb=262144")

    (cause,) = only(scene.status("guest", log())).stages[Stage.EFFECTIVE].causes

    assert cause.code == "nested-host"
    assert "it runs under z/VM 6.4.0" in cause.message


@pytest.mark.parametrize(("release", "verdict"), [("7.2.1", "missing"), ("7.3.0", "met")])
def test_a_buffer_that_grows_on_demand_can_have_more_than_exactly_that(
    scene: Scene, release: str, verdict: str
) -> None:
    add_system(scene, "z16-se-guest", "swiotlb=262144", "guest", release=release)
    scene.write("sys/kernel/debug/swiotlb/io_tlb_nslabs", "524288\n")
    scene.write(
        "etc/secboot/profiles/exact.yaml",
        "version: 1\nrole: guest\nparameters: {swiotlb: 512 MiB}\n",
    )

    assert effective(scene, "exact")[0] == verdict


def test_a_buffer_that_could_not_be_allocated(scene: Scene) -> None:
    add_system(scene, "z16-se-guest", "swiotlb=262144", "guest")

    found = effective(scene, "guest", "software IO TLB: Cannot allocate buffer")

    assert found == ("missing", "the kernel found no room for a bounce buffer")


def test_a_buffer_for_which_there_was_no_room(scene: Scene) -> None:
    add_system(scene, "z16-se-guest", "swiotlb=524288", "guest")

    found = effective(
        scene,
        "guest-large",
        "software IO TLB: SWIOTLB bounce buffer size adjusted 524288 -> 262144 slabs",
        "software IO TLB: mapped [mem 0x5a5fe000-0x7a5fe000] (512MB)",
    )

    assert found[0] == "missing"
    assert "no room for 524288 blocks" in found[1]


def test_the_size_from_debugfs_needs_no_log(scene: Scene) -> None:
    add_system(scene, "z16-se-guest", "swiotlb=262144", "guest")
    scene.write("sys/kernel/debug/swiotlb/io_tlb_nslabs", "262144\n")

    assert effective(scene, "guest", complete=False)[0] == "met"


@pytest.mark.parametrize(
    ("name", "host", "guest"),
    [
        ("guest", False, True),
        ("host-on-6.12", True, False),
        ("host-5.10-no-flags", None, None),
        ("host-capable-param-missing", False, False),
    ],
)
def test_an_indication_that_is_missing_is_not_zero(
    scene: Scene, name: str, host: bool | None, guest: bool | None
) -> None:
    add_system(scene, "z16-se-guest", "", name)

    with Root(scene.tree) as root:
        found = read_ultravisor(root)

    assert (found.present, found.prot_virt_host, found.prot_virt_guest) == (True, host, guest)
    assert dict(found.query)["facilities"].count("\n") == 3


def test_what_hosting_gives_is_read_as_the_kernel_writes_it(scene: Scene) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, "host-on-6.12")

    with Root(scene.tree) as root:
        found = read_ultravisor(root)

    assert (found.max_guests, found.max_address) == (16384, 0x3FFFFFFFFFF000)


@pytest.mark.parametrize("text", ["", "many", "-1", "0x10", "1" * 40, "\udcff", "1\n2"])
def test_invalid_numbers_of_the_ultravisor_are_unknown(scene: Scene, text: str) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, "host-on-6.12")
    for name in ("max_guests", "max_address"):
        content = text.encode("utf-8", "surrogateescape")
        scene.write(f"sys/firmware/uv/query/{name}", content)

    with Root(scene.tree) as root:
        found = read_ultravisor(root)

    assert (found.max_guests, found.max_address) == (None, None)


@pytest.mark.parametrize(
    ("profile", "proc", "uv", "notice"),
    [
        ("host", "z16-kvm-guest-unpack", None, "a host profile, but this system is a guest: KVM"),
        ("host", "z16-se-guest", "guest", "a host profile, but this is a Secure Execution guest"),
        ("guest", "s390-lpar", None, "a guest profile, but this system runs in an LPAR: LPAR R35"),
    ],
)
def test_the_wrong_role_is_reported(
    scene: Scene, profile: str, proc: str, uv: str | None, notice: str
) -> None:
    add_system(scene, proc, "", uv)

    messages = [n.message for n in scene.status(profile, log()).notices if n.code == "role"]

    assert len(messages) == 1
    assert messages[0].startswith(notice)


@pytest.mark.parametrize(("release", "told"), [("6.12.0", 1), ("7.0.0", 0), ("none", 1)])
def test_huge_pages_matter_before_7_0(scene: Scene, release: str, told: int) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, "host-on-6.12", release=release)
    scene.write("sys/module/kvm/parameters/hpage", "1\n")

    codes = [n.code for n in scene.status("host", log()).notices]

    assert codes.count("huge-pages") == told


def test_notices_of_kdump_huge_pages_and_a_full_buffer(scene: Scene) -> None:
    add_system(scene, "z16-lpar-se-capable", HOST_LINE, "host-on-6.12")
    scene.write("proc/vmcore", "")
    scene.write("sys/module/kvm/parameters/hpage", "1\n")

    full = "virtio_blk virtio1: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots)"
    codes = [n.code for n in scene.status("host", log(full)).notices]

    assert codes == ["kdump", "huge-pages", "bounce-buffer-full"]
