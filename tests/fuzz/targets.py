"""What is fuzzed: every kind of input that secboot reads, what it does with it, and samples of it.

A target's `read` gets any bytes. It may raise a `SecbootError`; raising anything else, or printing
something that no terminal should get, is a find.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from secboot.checkpoint.archive import members, unpack
from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import parse_first_journal, parse_journal
from secboot.checkpoint.log import line_for
from secboot.checkpoint.record import Checkpoint, Record
from secboot.domain.secure_guest import judge_domain
from secboot.errors import SecbootError
from secboot.formats.bls_entry import BlsEntry
from secboot.formats.bootmap import read_bootmap
from secboot.formats.domain_xml import parse_domain
from secboot.formats.grub_cfg import GrubCfg, parameters_in_script
from secboot.formats.grub_default import GrubDefault
from secboot.formats.grub_variables import environment_block
from secboot.formats.kernel_cmdline import CommandLine, KernelInstallCmdline
from secboot.formats.kernel_image import read_kernel_image, release_text
from secboot.formats.text import decoded
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import ZiplenvFile, ZiplEnvironment, parmfile_line
from secboot.kernel import prot_virt, swiotlb
from secboot.kernel.image_line import unfit
from secboot.profile.load import parse_profile
from secboot.profile.profile import ProfileText
from secboot.report.check_domain import domain_text
from secboot.report.fleet import fleet_document, fleet_text
from secboot.report.fleet_page import fleet_page
from secboot.report.made import made
from secboot.report.profile import profile_text
from secboot.report.reported import Counted, read_machine
from secboot.report.saved_plan import read_saved_plan
from secboot.report.style import PLAIN
from secboot.running.kernel_log import _parse as parse_kernel_log
from secboot.running.system import Hardware
from secboot.status.stages import Stage
from tests.checkpoint.sealing import sealed_journal, sealed_record
from tests.fuzz import commands
from tests.trees import SAMPLES, plain_kernel, sealed_image

DATA = Path(__file__).parents[1] / "data"
FIRST_CHECKPOINT = Path(__file__).parents[1] / "checkpoint/data/0.1.0"
SHIPPED = Path(__file__).parents[2] / "profiles"
_ENOUGH_OF_A_KERNEL = 2**17


class Target(NamedTuple):
    """One kind of input.

    `weight` is its share of the time. Its inputs grow up to `largest` bytes, to check that the time
    grows with them and not faster; 0 if files of its kind do not grow. No input may take longer than
    `longest`, in seconds of processor time.
    """

    read: Callable[[bytes], None]
    samples: Callable[[], tuple[bytes, ...]]
    weight: int = 1
    largest: int = 2**17
    longest: float = 1.0


def files_of(*patterns: str, base: Path = SAMPLES) -> Callable[[], tuple[bytes, ...]]:
    """The contents of the files that match, read on demand."""

    def read() -> tuple[bytes, ...]:
        files = [file for pattern in patterns for file in sorted(base.glob(pattern))]
        found = tuple(file.read_bytes() for file in files if file.is_file())
        assert found, patterns
        return found

    return read


def require_printable(text: str) -> None:
    """The output must not have control characters for a terminal."""
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)


def read_conf(data: bytes) -> None:
    text = decoded(data)
    conf = ZiplConf.parse(text)
    assert conf.render() == text
    for section in conf.sections[:3]:
        if section.get(Keyword.PARAMETERS) is not None:
            changed = conf.with_values(Keyword.PARAMETERS, {section.name: "a=1 b"})
            assert changed.section(section.name) is not None


def read_entry(data: bytes) -> None:
    text = decoded(data)
    entry = BlsEntry.parse(text)
    assert entry.render() == text
    options = entry.set_options("a=1 b").options
    # The carriage return of a file with DOS line ends stays; the kernel reads it as a blank.
    assert options in {"a=1 b", "a=1 b\r"}


def read_domain(data: bytes) -> None:
    domain = parse_domain(data, "d.xml")
    require_printable(domain_text(domain, judge_domain(domain), PLAIN))
    written = domain.written()
    if "{" in written:  # a name in a namespace, which no hint writes
        return
    try:
        again = parse_domain(written.encode(), "d.xml")
    except SecbootError as error:
        raise AssertionError(written) from error
    assert again.attributes == domain.attributes
    assert [each.name for each in again.children] == [each.name for each in domain.children]


def read_line(data: bytes) -> None:
    text = decoded(data)
    line = CommandLine.parse(text)
    assert line.render() == text
    swiotlb.read(line)
    prot_virt.enabling(line)
    prot_virt.misspelt(line)
    unfit(line)
    parmfile_line(text)
    parameters_in_script(text)


def read_cmdline(data: bytes) -> None:
    text = decoded(data)
    document = KernelInstallCmdline.parse(text)
    assert document.render() == text
    assert isinstance(document.problems, tuple)
    if not document.words:  # nobody adds parameters to a file that has none
        return
    with suppress(SecbootError):
        line = document.parameters.append("a=1")
        again = KernelInstallCmdline.parse(document.with_lines({"": line}).render())
        assert again.words == line.text


def read_grub_default(data: bytes) -> None:
    text = decoded(data)
    document = GrubDefault.parse(text)
    assert document.render() == text
    for name in ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"):
        with suppress(SecbootError):
            found = document.set_value(name, "a=1 b").get(name)
            assert found is not None
            assert found.value == "a=1 b"


def read_grub_cfg(data: bytes) -> None:
    menu = GrubCfg.parse(decoded(data), "/boot/grub2/grub.cfg").menu({"/boot/grub2/grubenv": None})
    assert list(menu.walk()) or not menu.entries or menu.entries[0].children is not None


def read_ziplenv(data: bytes) -> None:
    text = decoded(data)
    document = ZiplenvFile.parse(text)
    assert document.render() == text
    assert isinstance(document.problems, tuple)
    expanded = document.environment.expand(f"root=${{ROOT}} {text}", "1")
    assert isinstance(expanded, str)


def read_environment_block(data: bytes) -> None:
    with suppress(ValueError):
        ZiplEnvironment.parse(data).expand("${A} ${ROOT}", "0")
    list(environment_block(decoded(data)))


class NoFiles:
    def read_text(self, _path: str) -> str | None:
        return None

    def read_beside(self, _path: str, _name: str) -> ProfileText | None:
        return None

    def list_names(self, _directory: str) -> tuple[str, ...]:
        return ()


def read_profile(data: bytes) -> None:
    profile = parse_profile(ProfileText("x", "x.yaml", decoded(data)), NoFiles())
    require_printable(profile_text(profile, PLAIN))


def read_record(data: bytes) -> None:
    record = Record.from_json(data, "1")
    require_printable(line_for(Checkpoint(record, (), "/x")))


def read_sealed_record(data: bytes) -> None:
    read_record(sealed_record(data, "1"))


def read_journal(data: bytes) -> None:
    for read in (parse_journal, parse_first_journal):
        with suppress(DamagedCheckpointError):
            read(data, "1")


def read_sealed_journal(data: bytes) -> None:
    parse_journal(sealed_journal(data, "1"), "1")


def read_archive(data: bytes) -> None:
    members(data)
    unpack(data)


def read_saved(data: bytes) -> None:
    read_saved_plan(data, "x.plan")


def read_report(data: bytes) -> None:
    now = made({})
    counted = Counted(Stage.EFFECTIVE, now.moment(), timedelta(days=7))
    machine = read_machine("host", "host.json", data, counted)
    require_printable(fleet_text((machine,), PLAIN))
    fleet_document((machine,), Stage.EFFECTIVE)
    assert "\x1b" not in fleet_page((machine,), Stage.EFFECTIVE, now)


def read_recorded(data: bytes) -> None:
    read_bootmap(data)


def read_image(data: bytes) -> None:
    read_kernel_image(lambda ranges: [data[start : start + size] for start, size in ranges])
    release_text(data)


def read_log(data: bytes) -> None:
    parse_kernel_log(decoded(data).split("\0"))


def read_hardware(data: bytes) -> None:
    cpuinfo, _, sysinfo = decoded(data).partition("\0")
    Hardware.parse(cpuinfo, sysinfo).describe()


def kernel_logs() -> tuple[bytes, ...]:
    """The lines of the logs as the records of /dev/kmsg."""
    return tuple(
        b"\0".join(b"6,%d,%d,-;%s\n" % (n, n, line) for n, line in enumerate(log.splitlines()))
        for log in files_of("dmesg/*")()
    )


def hardware() -> tuple[bytes, ...]:
    machines = sorted({file.parent for file in SAMPLES.glob("proc/*/cpuinfo")})
    return tuple(
        b"\0".join(
            (directory / name).read_bytes() if (directory / name).exists() else b""
            for name in ("cpuinfo", "sysinfo")
        )
        for directory in machines
    )


def bootmaps() -> tuple[bytes, ...]:
    return tuple(
        lzma.decompress(file.read_bytes()) for file in sorted(DATA.glob("bootmaps/*512*.xz"))
    )


def images() -> tuple[bytes, ...]:
    return (
        plain_kernel(2**15, 4096),
        sealed_image(_ENOUGH_OF_A_KERNEL),
        sealed_image(_ENOUGH_OF_A_KERNEL, encrypted=False),
        sealed_image(_ENOUGH_OF_A_KERNEL, metadata=False),
    )


def reports() -> tuple[bytes, ...]:
    return commands.said("status guest", "verify guest", "status host")


def words_to_set() -> tuple[bytes, ...]:
    asked = (b"audit=1", b"quiet\nconsole+=ttyS0", b"swiotlb=262144\ndebug-", b'a="b c"\nhost-=x')
    return (*asked, *(line.replace(b" ", b"\n") for line in LINES()))


LINES = files_of("cmdline/*", "se-guest/parmfile*", "other/lfs-parmfile")

TARGETS: dict[str, Target] = {
    "zipl.conf": Target(
        read_conf, files_of("*/*zipl*.conf", "grammar-probes/*.conf", "other/*.conf")
    ),
    "bls": Target(
        read_entry,
        files_of("rhel8/*s390x*.conf", "rhel9-10/*.conf", "grammar-probes/bls/*/entries/*"),
    ),
    "line": Target(read_line, LINES),
    "kernel-cmdline": Target(read_cmdline, files_of("rhel9-10/etc-kernel-cmdline", "cmdline/*")),
    "grub-default": Target(read_grub_default, files_of("sles/etc-default-grub")),
    "grub.cfg": Target(read_grub_cfg, commands.grub_scripts, weight=2),
    "ziplenv": Target(read_ziplenv, files_of("other/ziplenv.minimal")),
    "environment-block": Target(
        read_environment_block,
        lambda: (
            b"# zIPL Environment Block\nROOT=/dev/x\n1ROOT=y\n",
            b"# GRUB Environment Block\n",
        ),
    ),
    "domain": Target(read_domain, files_of("domains/*.xml", base=DATA)),
    "profile": Target(read_profile, files_of("*.yaml", base=SHIPPED), weight=2),
    "record": Target(read_record, commands.records),
    "sealed-record": Target(read_sealed_record, commands.records, weight=2),
    "journal": Target(read_journal, commands.journals),
    "sealed-journal": Target(read_sealed_journal, commands.all_journal_texts, weight=2),
    "archive": Target(read_archive, files_of("*.tar", base=FIRST_CHECKPOINT)),
    "saved-plan": Target(read_saved, commands.saved_plans),
    "status-document": Target(read_report, reports, weight=2),
    "bootmap": Target(read_recorded, bootmaps, weight=2, largest=0),
    "kernel-image": Target(read_image, images, largest=0),
    "kernel-log": Target(read_log, kernel_logs),
    "hardware": Target(read_hardware, hardware),
    "tree": Target(commands.read_tree, commands.trees, weight=8, largest=2**16, longest=8.0),
    "running": Target(commands.read_running_system, commands.running_systems, weight=2),
    "state": Target(commands.read_state, commands.states, weight=6, largest=0),
    "set": Target(commands.set_words, words_to_set, weight=2, largest=0),
    "apply-plan": Target(commands.apply_plan, commands.saved_plans, weight=2, largest=0),
}
"""All of them, by name."""
