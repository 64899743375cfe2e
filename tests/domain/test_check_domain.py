"""Domains as data: the output of ``secboot check-domain`` for each, and single faults on their own."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from jsonschema import Draft202012Validator

import secboot
from secboot.domain.secure_guest import judge_domain
from secboot.errors import ParseError
from secboot.finding import Finding
from secboot.formats.domain_xml import DEEPEST, LARGEST, parse_domain
from tests.command import secboot as run
from tests.report.strict import strict_schema

DOMAINS = Path(__file__).parent.parent / "data/domains"
GOOD = (DOMAINS / "launch-security.xml").read_text()
WITHOUT = GOOD.replace("  <launchSecurity type='s390-pv'/>\n", "")
PACKAGE = Path(secboot.__file__).parent
REFERENCE = PACKAGE.parent / "docs/reference/domain.md"


def judged(text: str) -> dict[str, Finding]:
    return {each.code: each for each in judge_domain(parse_domain(text.encode(), "d.xml"))}


def with_device(text: str, device: str) -> str:
    return text.replace("    <memballoon", f"    {device}\n    <memballoon")


@pytest.mark.parametrize("path", sorted(DOMAINS.glob("*.xml")), ids=lambda path: path.stem)
def test_domain(path: Path, capsys: pytest.CaptureFixture[str], update: bool) -> None:
    said = run(capsys, "check-domain", path)
    text = f"{said.out}{said.err}[{said.code}]\n".replace(str(path), path.name)
    expected = path.with_suffix(".txt")
    if update:
        expected.write_text(text)
    assert text == expected.read_text()


@pytest.mark.parametrize("path", sorted(DOMAINS.glob("*.xml")), ids=lambda path: path.stem)
def test_the_document_has_the_findings_of_the_text(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = run(capsys, "check-domain", path)
    said = run(capsys, "check-domain", path, "--output", "json")

    assert (said.code, said.err) == (text.code, text.err)
    if said.code == 2:
        assert json.loads(said.out)["schema"] == "secboot/failure/1"
        return
    document = json.loads(said.out)
    Draft202012Validator(strict_schema("secboot/check-domain/1")).validate(document)
    assert all(each["message"] in text.out for each in document["findings"])
    assert (said.code == 0) is (document["fit"] is True)


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = GOOD.replace("model='none'", "model='virtio'").encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(bad)))

    said = run(capsys, "check-domain", "-")

    assert said.code == 5
    assert said.out.startswith("<stdin>:20:5: error: ballooning")


DEVICES = {
    "<disk type='file'><target dev='vdb' bus='virtio'/></disk>": "<disk> vdb",
    "<disk type='file'><target dev='vdb'/></disk>": "<disk> vdb",
    "<interface type='user'/>": "<interface>",
    "<controller type='scsi' index='0' model='virtio-scsi'/>": "<controller> scsi 0",
    "<controller type='scsi' index='1'/>": "<controller> scsi 1",
    "<controller type='virtio-serial' index='0'/>": "<controller> virtio-serial 0",
    "<filesystem type='mount'><target dir='t'/></filesystem>": "<filesystem> t",
    "<input type='mouse'/>": "<input> mouse",
    "<input type='keyboard' bus='virtio'/>": "<input> keyboard",
    "<rng model='virtio'/>": "<rng>",
    "<vsock/>": "<vsock>",
    "<video><model type='virtio'/></video>": "<video>",
    "<crypto model='virtio'/>": "<crypto>",
    "<sound model='virtio'/>": "<sound>",
    "<hostdev type='scsi_host'/>": "<hostdev> scsi_host",
    "<hostdev type='scsi'/>": "<controller> scsi",
    "<channel type='unix'><target type='virtio'/></channel>": "<controller> virtio-serial",
    "<graphics type='vnc'/>": "<video>",
}


@pytest.mark.parametrize("device", DEVICES)
def test_a_virtio_device_needs_the_bounce_buffer(device: str) -> None:
    """Each kind that is virtio on s390x, written or added by libvirt; none is reported with launchSecurity."""
    text = WITHOUT
    for name in ("disk", "interface"):
        start, end = text.index(f"    <{name}"), text.index(f"</{name}>\n")
        text = text[:start] + text[end + len(f"</{name}>\n") :]
    assert judged(text).keys() == {"domain.no-launch-security"}
    assert judged(text)["domain.no-launch-security"].severity == "note"

    found = judged(with_device(text, device))

    assert found.keys() == {"domain.no-launch-security", "domain.no-iommu"}
    assert DEVICES[device] in found["domain.no-iommu"].message
    assert found["domain.no-launch-security"].severity == "error"
    assert judged(with_device(GOOD, device)) == {}


@pytest.mark.parametrize(
    "device",
    [
        "<controller type='usb' model='none'/>",
        "<controller type='pci' model='pci-root'/>",
        "<console type='pty'><target type='sclp'/></console>",
        "<video><model type='none'/></video>",
        "<watchdog model='diag288'/>",
    ],
)
def test_other_devices_do_not(device: str) -> None:
    iommu = (DOMAINS / "iommu-on.xml").read_text()

    assert judged(with_device(iommu, device)).keys() == {"domain.no-launch-security"}


@pytest.mark.parametrize(
    "device",
    [
        "<disk type='file'><target dev='sda' bus='usb'/></disk>",
        "<disk type='file'><target dev='hda'/></disk>",
        "<interface type='user'><model type='e1000'/></interface>",
        "<input type='mouse' bus='usb'/>",
        "<controller type='usb' model='qemu-xhci'/>",
        "<controller type='scsi' model='lsilogic'/>",
        "<video><model type='bochs'/></video>",
        "<sound model='ich9'/>",
        "<watchdog model='ib700'><address type='pci'/></watchdog>",
    ],
)
def test_a_device_that_qemu_emulates_may_not_work(device: str) -> None:
    (found,) = judge_domain(parse_domain(with_device(GOOD, device).encode(), "d.xml"))

    assert (found.code, found.severity) == ("domain.not-virtio", "warning")


def test_names_and_values_are_shown_on_one_line_and_written_as_they_are() -> None:
    device = (
        "<disk type='file'><driver name='&#10;&quot;&amp;'/><target dev='vda&#10;&#27;'/></disk>"
    )
    text = with_device(WITHOUT, device.replace("&#27;", "\u202e"))

    found = [e for e in judge_domain(parse_domain(text.encode(), "d.xml")) if "vda" in e.message]

    assert r"<disk> vda\n\u202e bypasses" in found[1].message
    assert "<driver name='&#10;&quot;&amp;' iommu='on'/>" in (found[1].hint or "")


def test_what_to_write_is_enough() -> None:
    """The XML from each hint, written where the hint says, fixes the domain."""
    text = WITHOUT.replace("<model type='virtio'/>", "<driver name='vhost'/>")
    for device, driver in (
        ("disk", "<driver name='qemu' type='qcow2' cache='none' io='native'/>"),
        ("interface", "<driver name='vhost'/>"),
    ):
        found = [e for e in judge_domain(parse_domain(text.encode(), "d")) if "iommu" in e.code]
        inside, _, written = (found[0].hint or "").partition(": ")
        assert inside == f"without launchSecurity, write in <{device}>"
        assert driver in text
        text = text.replace(driver, written)

    assert judged(text)["domain.no-launch-security"].severity == "note"


def test_every_rule_is_in_the_reference_and_in_a_domain_of_the_tests() -> None:
    page = set(re.findall(r"`domain\.([a-z-]+)`", REFERENCE.read_text()))
    source = "".join(each.read_text() for each in (PACKAGE / "domain").glob("*.py"))
    rules = set(re.findall(r'[fF]inding\(\s*"(?:domain\.)?([a-z-]+)"', source))
    seen = "".join(each.read_text() for each in DOMAINS.glob("*.txt"))

    assert page == rules
    assert {rule for rule in page if f"[domain.{rule}]" not in seen} == {"launch-security-type"}


def test_an_architecture_that_is_not_set_is_that_of_the_host() -> None:
    assert judged(GOOD.replace(" arch='s390x'", "")).keys() == {"domain.architecture"}


@pytest.mark.parametrize(
    ("cpu", "wrong"),
    [
        ("", False),
        ("<cpu mode='host-passthrough'/>", False),
        ("<cpu mode='maximum'/>", False),
        ("<cpu><topology sockets='1' cores='2' threads='1'/></cpu>", False),
        ("<cpu mode='custom'><model>gen15a</model></cpu>", True),
        ("<cpu><model>gen16a</model><feature policy='require' name='unpack'/></cpu>", False),
        ("<cpu><model>gen17a-base</model><feature policy='force' name='unpack'/></cpu>", False),
        ("<cpu><model>gen15b</model><feature policy='optional' name='unpack'/></cpu>", True),
        ("<cpu><model>z14</model><feature policy='require' name='unpack'/></cpu>", True),
        ("<cpu><model>qemu</model></cpu>", True),
        ("<cpu mode='host-model'><feature policy='disable' name='unpack'/></cpu>", True),
        ("<cpu mode='host-model'><feature policy='disable' name='te'/></cpu>", False),
    ],
)
def test_cpu_models(cpu: str, wrong: bool) -> None:
    found = judged(GOOD.replace("<cpu mode='host-model'/>", cpu))

    assert found.keys() == ({"domain.cpu-model"} if wrong else set())


@pytest.mark.parametrize(
    ("machine", "severity"),
    [
        ("s390-ccw-virtio", None),
        ("s390-ccw-virtio-4.2", None),
        ("s390-ccw-virtio-11.1", None),
        ("s390-ccw-virtio-rhel8.2.0", None),
        ("s390-ccw-virtio-rhel10.0.0", None),
        ("s390-ccw-virtio-focal", None),
        ("s390-ccw-virtio-4.1", "warning"),
        ("s390-ccw-virtio-2.8", "warning"),
        ("s390-ccw-virtio-rhel7.6.0", "warning"),
        ("s390-ccw-virtio-eoan", "warning"),
        ("s390-ccw-virtio-2.7", "error"),
        ("s390-ccw-virtio-xenial", "error"),
        ("s390-virtio", "error"),
        ("q35", "error"),
    ],
)
def test_machine_types(machine: str, severity: str | None) -> None:
    found = judged(GOOD.replace("arch='s390x'", f"arch='s390x' machine='{machine}'"))

    assert {each.severity for each in found.values()} == ({severity} if severity else set())


@pytest.mark.parametrize("numa", ["<cell id='0' memAccess='shared'/>", "<cell id='0'/>"])
def test_shared_memory_can_be_that_of_each_cell(numa: str) -> None:
    text = with_device(GOOD, "<interface type='vhostuser'/>")
    text = text.replace("<cpu mode='host-model'/>", f"<cpu><numa>{numa}</numa></cpu>")

    assert judged(text).keys() == (set() if "shared" in numa else {"domain.private-memory"})


@pytest.mark.parametrize(
    ("content", "column"),
    [
        (b"<domain>" * (DEEPEST + 1), DEEPEST * 8 + 1),
        (b"<domain type='kvm'><name>\xc3</name></domain>", 26),
        (b"<domain type='kvm'>&nothing;</domain>", 20),
        (b"apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n", 1),
        (b"<?xml version='1.0' encoding='klingon'?><domain/>", 31),
    ],
)
def test_the_place_of_what_is_not_xml(content: bytes, column: int) -> None:
    with pytest.raises(ParseError) as error:
        parse_domain(content, "d.xml")

    assert str(error.value).startswith(f"d.xml:1:{column}: ")


def test_launch_security_of_another_architecture() -> None:
    found = judged(GOOD.replace("type='s390-pv'", "type='sev'"))

    assert found.keys() == {"domain.launch-security-type", "domain.no-iommu"}


def test_what_is_too_large_is_not_read() -> None:
    with pytest.raises(ParseError, match="larger than 4 MiB"):
        parse_domain(b"<domain>" + b" " * LARGEST, "d.xml")


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_file(content: bytes) -> None:
    with pytest.raises(ParseError, match=r"d\.xml: .*empty"):
        parse_domain(content, "d.xml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_columns_count_characters(encoding: str) -> None:
    domain = parse_domain("<domain><name>é</name><os/></domain>".encode(encoding), "d.xml")

    assert [(each.name, each.location.column) for each in domain.children] == [
        ("name", 9),
        ("os", 23),
    ]


def test_the_domain_inside_a_state_file_of_libvirt() -> None:
    status = f"<domstatus state='running'>{GOOD}</domstatus>"

    assert parse_domain(status.encode(), "d.xml").find("name") is not None
