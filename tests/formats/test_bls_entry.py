from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.formats.bls_entry import BlsEntry, BlsKey
from tests.strategies import bls_texts

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
ENTRIES = sorted(SAMPLES.rglob("entries/*.conf")) + sorted(SAMPLES.rglob("*bls*.conf"))

pieces = st.one_of(
    st.sampled_from(list("# \t\n\r\0ab-_.")),
    st.sampled_from(["title ", "options ", "linux ", "version ", "\n", "\udc80", "\udcff"]),
    st.characters(codec="utf-8"),
)
any_text = st.lists(pieces).map("".join)
ENTRY = "title A\nversion 1\nlinux /k\ninitrd /i\noptions a b\n"


def found(text: str) -> list[tuple[BlsKey, str]]:
    fields = BlsEntry.parse(text).scan.fields
    return [(field.meaning, field.value) for field in fields]


@settings(max_examples=200)
@given(st.one_of(any_text, bls_texts()))
def test_any_text_comes_back_as_it_was_and_can_be_scanned(text: str) -> None:
    entry = BlsEntry.parse(text)

    assert entry.render() == text
    assert isinstance(entry.misread, bool)
    assert all(1 <= field.line <= len(entry.lines) for field in entry.scan.fields)


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_samples_come_back_as_they_were(path: Path) -> None:
    text = path.read_bytes().decode(errors="surrogateescape")

    assert BlsEntry.parse(text).render() == text


@pytest.mark.parametrize(
    ("line", "meaning", "value"),
    [
        ("options a  b\tc ", BlsKey.OPTIONS, "a  b\tc"),
        ("options\t\t a", BlsKey.OPTIONS, "a"),
        ("  options a", BlsKey.OPTIONS, "a"),
        ("opt a", BlsKey.OPTIONS, "a"),
        ("o a", BlsKey.OPTIONS, "a"),
        ("l a", BlsKey.LINUX, "a"),
        ("i a", BlsKey.INITRD, "a"),
        ("t a", BlsKey.TITLE, "a"),
        ('options "a b"', BlsKey.OPTIONS, '"a b"'),
        ("options a\r", BlsKey.OPTIONS, "a\r"),
        ("options ", BlsKey.OPTIONS, ""),
        ("options a\0b", BlsKey.OPTIONS, "a"),
        ("\0options a", BlsKey.OPTIONS, "a"),
    ],
)
def test_a_field_is_read_as_zipl_reads_it(line: str, meaning: BlsKey, value: str) -> None:
    assert found(f"title A\n{line}\n") == [(BlsKey.TITLE, "A"), (meaning, value)]


@pytest.mark.parametrize("line", ["optionsx a", "Options a", "linuxefi /k", "id x", "# options a"])
def test_other_keys_mean_nothing(line: str) -> None:
    assert found(f"title A\n{line}\n") == [(BlsKey.TITLE, "A")]


@pytest.mark.parametrize(
    ("line", "column"), [("options", 1), ("foo.bar x", 1), ("  x", 3), ("\xe4 b", 1), ("a\0 b", 1)]
)
def test_a_bad_field_says_where(line: str, column: int) -> None:
    entry = BlsEntry.parse(f"title A\n{line}\nlinux /k\n", "/e/a.conf")

    assert [(p.message, str(p.location)) for p in entry.problems] == [
        ("Incorrect BLS field in config file /e/a.conf", f"/e/a.conf:2:{column}")
    ]
    assert entry.value(BlsKey.LINUX) == "/k"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no title in e"),
        ("titl", "no title in e"),
        (" title A\n", "no title in e"),
        ("linux /k\n", "no title in e"),
        ("title A\ntitlefoo B\n", "more than one title in e"),
    ],
)
def test_an_entry_needs_exactly_one_line_that_starts_with_title(text: str, message: str) -> None:
    assert BlsEntry.parse(text, "e").problems[0].message == message


def test_a_title_of_fewer_than_five_bytes_at_the_end_is_not_looked_at() -> None:
    # Only four bytes follow the last newline: zipl does not look for a title there.
    assert BlsEntry.parse("title A\ntitl").problems[0].code == "bls.field"


def test_titlefoo_counts_as_a_title_but_gives_none() -> None:
    entry = BlsEntry.parse("titlefoo A\nlinux /k\n")

    assert entry.problems == ()
    assert entry.title is None


def test_a_title_on_the_last_line_is_read_right() -> None:
    entry = BlsEntry.parse("version 1\nlinux /k\noptions prot_virt=1\ntitle A\n")

    assert not entry.misread
    assert (entry.title, entry.options) == ("A", "prot_virt=1")
    assert [field.line for field in entry.scan.fields] == [4, 2, 3]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        # zipl uses the length of "options prot_virt=1" as the length of "title A".
        (
            "version 1\ntitle A\nlinux /tmp/vmlinuz\noptions prot_virt=1\n",
            [(BlsKey.TITLE, "A"), (BlsKey.LINUX, "/tmp/")],
        ),
        # A last line of length 0 joins the title to the line before it.
        ("version 1\ntitle A\nlinux /k\n\n\n\n\n\n", [(BlsKey.LINUX, "/k")]),
    ],
)
def test_a_title_below_the_first_line_makes_zipl_misread(
    text: str, read: list[tuple[BlsKey, str]]
) -> None:
    entry = BlsEntry.parse(text)

    assert found(text)[: len(read)] == read
    assert entry.misread


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        ("version 6.1\n", "6.1"),
        ("version\t \t6.1\n", "6.1"),
        ("version 6.1  \n", "6.1  "),
        ("version 8 9\n", "8 9"),
        ("version 4\nversion 9\n", "4"),
        ("version \nversion 9\n", "9"),
        ("versionx 3\nversion 9", "9"),
        ("version 9\0a\n", "9"),
        ("version \n", None),
        ("version \t\n", None),
        (" version 9\n", None),
        ("#version 9\n", None),
        ("vers 9\n", None),
        ("", None),
    ],
)
def test_the_version_is_what_zipl_sorts_by(lines: str, version: str | None) -> None:
    assert BlsEntry.parse(f"title A\n{lines}").version == version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ENTRY, ENTRY.replace("a b", "c")),
        (ENTRY[:-1], ENTRY[:-1].replace("a b", "c")),
        (ENTRY.replace("a b", "a b \t"), ENTRY.replace("a b", "c \t")),
        (ENTRY.replace("\n", "\r\n"), ENTRY.replace("\n", "\r\n").replace("a b", "c")),
        ("title A\nopt\t\tx\nlinux /k\n", "title A\nopt\t\tc\nlinux /k\n"),
        ("title A\noptions \nlinux /k\n", "title A\noptions c\nlinux /k\n"),
        ("title A\nlinux /k\nid x\n", "title A\nlinux /k\noptions c\nid x\n"),
        ("title A\nlinux /k", "title A\nlinux /k\noptions c"),
        ("title A\r\nlinux /k\r\n", "title A\r\nlinux /k\r\noptions c\n"),
        ("title A\n", "title A\noptions c\n"),
        ("linux /k\ntitle A\n", "linux /k\noptions c\ntitle A\n"),
    ],
)
def test_setting_options_changes_only_them(old: str, new: str) -> None:
    assert BlsEntry.parse(old).set_options("c").render() == new


@settings(max_examples=200)
@given(bls_texts(), st.text(st.characters(exclude_characters="\n\0")))
def test_what_is_set_is_what_zipl_reads(text: str, value: str) -> None:
    before = BlsEntry.parse(text)
    try:
        after = before.set_options(value)
    except RefusedError:
        return

    assert (after.options or "").removesuffix("\r") == value.removesuffix("\r")
    assert after.set_options(value) == after
    others = [f for f in after.scan.fields if f.meaning is not BlsKey.OPTIONS]
    if not before.misread:
        assert [f.value for f in others] == [
            f.value for f in before.scan.fields if f.meaning is not BlsKey.OPTIONS
        ]


@pytest.mark.parametrize("value", ["a\nb", "a\0", " a", "a\t", "\ud800"])
def test_options_that_the_format_can_not_hold_are_refused(value: str) -> None:
    with pytest.raises(RefusedError, match="cannot hold"):
        BlsEntry.parse(ENTRY).set_options(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ENTRY}opt x\n", "more than one options line"),
        ("# c\n", "no title, linux or initrd line"),
        ("version 1\ntitle A\nlinux /vmlinuz\noptions a\n", "misread"),
        ("version 1\ntitle A\noptions abc\n", "misread"),
    ],
)
def test_an_edit_that_zipl_would_misread_is_refused(text: str, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        BlsEntry.parse(text).set_options("root=/dev/dasda1 prot_virt=1")
