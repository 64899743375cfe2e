"""What the real mkosi reads from the drop-in, in Debian's newest version and in 14."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.export.formats import WRITERS
from secboot.export.names import ExportFormat
from secboot.export.request import ExportRequest
from secboot.formats.bls_entry import BlsEntry
from tests.available import require_root
from tests.export import real_mkosi
from tests.export.requests import from_text, shipped, site
from tests.export.small_tree import small_tree

LINES = (
    "root=/dev/vda1 swiotlb=512M quiet",
    "root=UUID=4c5e7a3e-0001 rd.dasd=0.0.0120,eckd rd.zfcp=0.0.1900,0x5005,0x4010 console=ttysclp0",
    "  root=/dev/vda1   ro  crashkernel=512M-:192M  ",
    "a=$HOME b=`id` c=[x] d=*? e=<f> g=~ h=(i) j=k;l m=a!b n=& o={p} q=^ r=| --  init-word",
    "systemd.unit=multi-user.target fips=1 [Content] Packages=x @include",
)

ASCII = "".join(map(chr, range(0x21, 0x7F)))
WORDS = st.text(
    st.sampled_from(ASCII.translate(str.maketrans("", "", "\"'\\%#"))), min_size=1
).filter(lambda word: word != "--" and not word.startswith(("!", "swiotlb")))


def drop_in(order: ExportRequest) -> str:
    return WRITERS[ExportFormat.MKOSI].write(order).text


@pytest.fixture(params=["newest", "oldest"])
def mkosi(request: pytest.FixtureRequest) -> real_mkosi.Mkosi:
    return real_mkosi.newest() if request.param == "newest" else real_mkosi.oldest()


@pytest.mark.parametrize("line", LINES)
def test_every_word_is_read_back(mkosi: real_mkosi.Mkosi, line: str, tmp_path: Path) -> None:
    expected = [word for word in line.split() if not word.startswith("swiotlb=")]

    words = mkosi.command_line(drop_in(shipped("guest", line)), tmp_path)

    assert "swiotlb=262144" in words
    assert [word for word in words if word != "swiotlb=262144"] == expected


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, min_size=20, max_size=60, unique=True))
def test_any_words_that_are_not_refused_are_read_back(
    mkosi: real_mkosi.Mkosi, words: list[str], tmp_path: Path
) -> None:
    text = drop_in(shipped("guest", " ".join(words)))

    assert mkosi.command_line(text, tmp_path) == [*words, "swiotlb=262144"]


def test_a_profile_without_a_line_is_read_back(mkosi: real_mkosi.Mkosi, tmp_path: Path) -> None:
    order = from_text(
        "version: 1\nparameters: {swiotlb: 1 GiB, console: [ttysclp0, hvc0], loglevel: 3}\n"
    )

    words = mkosi.command_line(drop_in(order), tmp_path)

    assert words == ["swiotlb=524288", "console=ttysclp0", "console=hvc0", "loglevel=3"]


def test_a_description_stays_a_comment(mkosi: real_mkosi.Mkosi, tmp_path: Path) -> None:
    order = from_text(
        "version: 1\ndescription: '[Content] KernelCommandLine=y # %i'\n"
        "parameters: {swiotlb: 512 MiB}\n"
    )

    assert mkosi.command_line(drop_in(order), tmp_path) == ["swiotlb=262144"]


def test_it_is_for_s390x_only(tmp_path: Path) -> None:
    text = drop_in(shipped("guest"))

    assert real_mkosi.newest().command_line(text, tmp_path, "s390x") == ["swiotlb=262144"]
    assert real_mkosi.newest().command_line(text, tmp_path, "x86-64") == []


@pytest.mark.parametrize("word", ["a=#1", "#a", "a=50%", "a=%i", "!quiet", 'note="two  words"'])
def test_what_some_version_reads_differently_is_refused(word: str, tmp_path: Path) -> None:
    line = f"quiet {word} last"
    with pytest.raises(RefusedError, match="some versions of mkosi interpret"):
        drop_in(shipped("guest", line))

    # That is necessary: one of the versions reads it differently.
    text = drop_in(shipped("guest", "PLACE")).replace("PLACE", line)
    read = [
        " ".join(version.command_line(text, tmp_path))
        for version in (real_mkosi.newest(), real_mkosi.oldest())
    ]
    assert any(each != f"{line} swiotlb=262144" for each in read), read


def test_a_value_of_a_profile_is_refused_too() -> None:
    with pytest.raises(RefusedError, match='contains ", which some versions'):
        drop_in(site())


@pytest.mark.parametrize("control", ["\n", "\t", "\x1b", "\x1c"])
def test_a_line_that_is_not_plain_text_is_refused(control: str) -> None:
    with pytest.raises(RefusedError, match="accepts only one line of plain text"):
        drop_in(shipped("guest", f"root=/dev/vda1{control}quiet"))


def test_an_image_that_is_built_boots_with_the_line(tmp_path: Path) -> None:
    """The boot entry of the image has the line, after what the tree has in /etc/kernel/cmdline."""
    require_root()
    kernel = small_tree(tmp_path / "tree")
    (tmp_path / "tree/etc/kernel").mkdir()
    (tmp_path / "tree/etc/kernel/cmdline").write_text("loglevel=3\n")
    asked = shipped("guest", "root=/dev/vda1 swiotlb=512M ro")
    (tmp_path / "work").mkdir()

    image = real_mkosi.newest().build(drop_in(asked), tmp_path / "tree", tmp_path / "work")

    (path,) = (image / "boot/loader/entries").iterdir()
    entry = BlsEntry.parse(path.read_text())
    assert entry.options == "loglevel=3 root=/dev/vda1 swiotlb=262144 ro"
    (linux,) = (line.value for line in entry.lines if line.key == "linux")
    assert (image / f"boot{linux}").read_bytes() == kernel
