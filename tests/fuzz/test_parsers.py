"""Any bytes give a document or a clear error, from every parser and from whole trees.

``SECBOOT_FUZZ_EXAMPLES`` sets how many examples each target gets; a long run is
``SECBOOT_FUZZ_EXAMPLES=100000 pytest tests/fuzz``. What a run finds goes to ``corpus/TARGET/``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secboot.checkpoint.checksum import DamagedCheckpointError
from secboot.checkpoint.journal import parse_first_journal, parse_journal
from secboot.checkpoint.record import Record
from secboot.domain.secure_guest import judge_domain
from secboot.errors import SecbootError
from secboot.formats.bls_entry import BlsEntry
from secboot.formats.domain_xml import parse_domain
from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword
from secboot.formats.zipl_parameters import parmfile_line
from secboot.kernel import prot_virt, swiotlb
from secboot.kernel.image_line import unfit
from secboot.profile.load import parse_profile
from secboot.profile.profile import ProfileText
from secboot.report.check_domain import domain_text
from secboot.report.saved_plan import read_saved_plan
from secboot.report.style import PLAIN
from tests.command import secboot
from tests.fuzz.mutation import corpus, mutated, sample_bytes
from tests.trees import make_sample_tree

EXAMPLES = int(os.environ.get("SECBOOT_FUZZ_EXAMPLES", "150"))

fuzzing = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

CONFS = sample_bytes("*/*zipl*.conf", "grammar-probes/*.conf", "other/*.conf")
ENTRIES = sample_bytes("rhel8/*s390x*.conf", "rhel9-10/*.conf", "grammar-probes/bls/*/entries/*")
LINES = sample_bytes("cmdline/*", "se-guest/parmfile*", "other/lfs-parmfile")
PROFILES = tuple(
    file.read_bytes() for file in sorted((Path(__file__).parents[2] / "profiles").glob("*.yaml"))
)


DOMAINS = tuple(
    file.read_bytes() for file in sorted((Path(__file__).parents[1] / "data/domains").glob("*.xml"))
)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def read_conf(data: bytes) -> None:
    text = text_of(data)
    conf = ZiplConf.parse(text)
    assert conf.render() == text
    for section in conf.sections:
        if section.get(Keyword.PARAMETERS) is not None:
            changed = conf.with_values(Keyword.PARAMETERS, {section.name: "a=1 b"})
            assert changed.section(section.name) is not None


def read_entry(data: bytes) -> None:
    text = text_of(data)
    entry = BlsEntry.parse(text)
    assert entry.render() == text
    options = entry.set_options("a=1 b").options
    # The carriage return of a file with DOS line ends stays; the kernel takes it for a blank.
    assert options in {"a=1 b", "a=1 b\r"}


def read_domain(data: bytes) -> None:
    domain = parse_domain(data, "d.xml")
    text = domain_text(domain, judge_domain(domain), PLAIN)
    assert "\x1b" not in text
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
    text = text_of(data)
    line = CommandLine.parse(text)
    assert line.render() == text
    swiotlb.read(line)
    prot_virt.enabling(line)
    unfit(line)
    parmfile_line(text)


class NoFiles:
    def read_text(self, _path: str) -> str | None:
        return None

    def read_beside(self, _path: str, _name: str) -> ProfileText | None:
        return None

    def list_names(self, _directory: str) -> tuple[str, ...]:
        return ()


def read_profile(data: bytes) -> None:
    parse_profile(ProfileText("x", "x.yaml", text_of(data)), NoFiles())


def read_record(data: bytes) -> None:
    for read in (Record.from_json, parse_journal, parse_first_journal):
        with suppress(DamagedCheckpointError):
            read(data, "1")


def read_saved(data: bytes) -> None:
    read_saved_plan(data, "x.plan")


SAVED_PLAN = (
    b'{"schema": "secboot/saved-plan/1", "made_from": {"secboot": "1", "reference": "x", "profile": '
    b'[{"name": "x", "path": "x", "text": "x"}]}, "files": [{}]}'
)
TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "zipl.conf": (read_conf, CONFS),
    "bls": (read_entry, ENTRIES),
    "cmdline": (read_line, LINES),
    "profile": (read_profile, PROFILES),
    "record": (read_record, (b'{"schema": "secboot/checkpoint/1", "checkpoint": "1"}',)),
    "plan": (read_saved, (SAVED_PLAN,)),
    "domain": (read_domain, DOMAINS),
}


@pytest.mark.parametrize("name", TARGETS)
def test_parser(name: str) -> None:
    read, bases = TARGETS[name]

    @given(mutated(bases))
    @fuzzing
    def run(data: bytes) -> None:
        try:
            read(data)
        except SecbootError as error:
            text = f"{error}{error.hint or ''}"
            assert text.isprintable() or "\n" in text
            assert "\x1b" not in text

    for data in corpus(name):
        run.hypothesis.inner_test(data)  # type: ignore[attr-defined]
    run()


@given(
    conf=mutated(CONFS),
    entries=st.dictionaries(
        st.sampled_from(["a.conf", "b.conf", ".c.conf", "d.conf~"]), mutated(ENTRIES), max_size=3
    ),
    parmfile=mutated(LINES),
    image=st.one_of(st.just(b""), st.binary(max_size=64)),
    bootmap=st.one_of(st.none(), st.binary(max_size=4096)),
)
@fuzzing
def test_whole_tree(
    capsys: pytest.CaptureFixture[str],
    conf: bytes,
    entries: dict[str, bytes],
    parmfile: bytes,
    image: bytes,
    bootmap: bytes | None,
) -> None:
    with TemporaryDirectory() as directory:
        root = make_sample_tree("lfs-parmfile", Path(directory) / "root")
        folder = root / "boot/loader/entries"
        folder.mkdir(parents=True)
        (root / "etc/zipl.conf").write_bytes(conf)
        (root / "boot/parmfile").write_bytes(parmfile)
        (root / "boot/vmlinuz").write_bytes(image)
        for name, data in entries.items():
            (folder / name).write_bytes(data)
        if bootmap is not None:
            (root / "boot/bootmap").write_bytes(bootmap)

        for words in (["check"], ["show"], ["plan", "guest"], ["apply", "host"], ["rollback"]):
            said = secboot(capsys, *words, "--root", root)

            assert said.code in {0, 1, 2, 5}, said.err
            assert "\x1b" not in said.out + said.err
