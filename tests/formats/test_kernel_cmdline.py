from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.errors import ParseError, RefusedError
from secboot.formats.kernel_cmdline import BLANKS, CommandLine, parameter_text
from tests.command_lines import ANY_TEXT, lines


def read(text: str) -> list[tuple[str, str | None]]:
    return [(each.name, each.value) for each in CommandLine.parse(text).parameters]


# All of these were confirmed with next_arg() itself, compiled from the kernel's source.
READINGS: list[tuple[str, list[tuple[str, str | None]]]] = [
    ("", []),
    (" \t\n", []),
    ("a", [("a", None)]),
    ("a=", [("a", "")]),
    ("a=b=c", [("a", "b=c")]),
    ("a\tb\nc\vd\fe\rf", [(name, None) for name in "abcdef"]),
    ("a\x1cb", [("a\x1cb", None)]),  # a blank for Python, not for the kernel
    ('a="b c"', [("a", "b c")]),
    ('"a=b c"', [("a", "b c")]),
    ('"a b"', [("a b", None)]),
    ('a="b"c', [("a", 'b"c')]),
    ('a=b" c"', [("a", 'b" c"')]),
    ('a"="b', [('a"', "b")]),
    ('a="b c" d', [("a", "b c"), ("d", None)]),
    ("a='b c'", [("a", "'b"), ("c'", None)]),
    ('a=""', [("a", "")]),
    ('a="', [("a", "")]),
    ('a="b c ', [("a", "b c")]),  # the boot code trims the line first
    ('"a="', [("a", "")]),
    ('"a="b c"', [("a", "b"), ('c"', None)]),
    ('"a="b""', [("a", 'b"')]),
    ('""', [("", None)]),
    ('"', [("", None)]),
    ("=", [("=", None)]),
    ("=a", [("=a", None)]),
    ("=a=b", [("=a", "b")]),
    ('"=a', [("=a", None)]),
    ("a\0 b", [("a", None)]),
    ("é=ü", [("é", "ü")]),
    ("a\udca0b", [("a\udca0b", None)]),
]


@pytest.mark.parametrize(("text", "expected"), READINGS)
def test_words_names_and_values_are_those_of_next_arg(
    text: str, expected: list[tuple[str, str | None]]
) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "names", "after"),
    [
        ("a -- b", ["a", "b"], ["b"]),
        ('a "--" b', ["a", "b"], ["b"]),
        ("-- a -- b", ["a", "--", "b"], ["a", "--", "b"]),
        ("a --=1 b", ["a", "--", "b"], []),
        ("a --- b", ["a", "---", "b"], []),
        ('a="-- b" c', ["a", "c"], []),
    ],
)
def test_what_comes_after_the_first_dashdash_is_marked(
    text: str, names: list[str], after: list[str]
) -> None:
    parameters = CommandLine.parse(text).parameters

    assert [each.name for each in parameters] == names
    assert [each.name for each in parameters if each.after_dashdash] == after


def test_names_are_exact() -> None:
    line = CommandLine.parse("prot_virt_x=1 xprot_virt=1 PROT_VIRT=1 prot-virt=1 prot_virt=0")

    assert [each.text for each in line.named("prot_virt")] == ["prot_virt=0"]


@pytest.mark.parametrize(
    ("text", "unterminated"),
    [
        ('a="b', True),
        ('a="b"', False),
        ('"a="b c"', True),
        ('"', True),
        ('a\0"', False),
        ("'", False),
    ],
)
def test_a_quote_that_nothing_closes_is_noticed(text: str, *, unterminated: bool) -> None:
    assert CommandLine.parse(text).unterminated_quote is unterminated


@given(ANY_TEXT)
def test_every_text_renders_as_it_was_and_its_words_lie_where_they_say(text: str) -> None:
    line = CommandLine.parse(text)

    assert line.render() == text
    assert all(text[each.start : each.end] == each.text for each in line.parameters)
    assert sorted(line.parameters, key=lambda each: each.start) == list(line.parameters)


@given(ANY_TEXT)
def test_between_the_words_there_are_only_blanks(text: str) -> None:
    line = CommandLine.parse(text)

    rest = text.partition("\0")[0]
    for each in reversed(line.parameters):
        rest = rest[: each.start] + rest[each.end :]
    assert rest.strip(BLANKS) in {"", "--", '"--"', '"--'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x=1"),
        ("\n", "x=1\n"),
        ("a", "a x=1"),
        ("a b \n", "a b x=1 \n"),
        ("a\nb\n", "a\nb x=1\n"),
        ("a -- b", "a x=1 -- b"),
        ("a  --", "a x=1  --"),
        (" -- b", " x=1 -- b"),
        ("a\0b", "a x=1\0b"),
    ],
)
def test_append_adds_the_last_word_before_dashdash(text: str, expected: str) -> None:
    assert CommandLine.parse(text).append("x=1").text == expected


def test_append_refuses_to_write_into_an_open_quote() -> None:
    with pytest.raises(RefusedError, match="never closed") as caught:
        CommandLine.parse('a b="c d').append("x")

    assert caught.value.hint is not None
    assert 'b="c d' in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", ""),
        ("  x \n", " \n"),
        ("x b", "b"),
        (" x  b", " b"),
        ("a x", "a"),
        ("a x ", "a "),
        ("a  x   b", "a   b"),
        ("a\nx\nb\n", "a\nb\n"),
        ("x x a x", "a"),
        ("a x -- x b", "a -- b"),
    ],
)
def test_remove_takes_one_run_of_blanks_along(text: str, expected: str) -> None:
    line = CommandLine.parse(text)

    assert line.remove(*line.named("x")).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a x=1  b", "a y  b"), ("x", "y"), ('a "x=1 2"\n', "a y\n"), ("-- x", "-- y")],
)
def test_replace_changes_only_the_word(text: str, expected: str) -> None:
    line = CommandLine.parse(text)

    assert line.replace(line.named("x")[0], "y").text == expected


def test_a_parameter_of_another_line_can_not_be_edited() -> None:
    other = CommandLine.parse("a b c").parameters[2]

    with pytest.raises(ValueError, match="not a parameter of this line"):
        CommandLine.parse("a b").replace(other, "x")
    with pytest.raises(ValueError, match="not a parameter of this line"):
        CommandLine.parse("a b").remove(other)


@given(lines())
def test_removing_what_was_appended_gives_the_old_text(text: str) -> None:
    line = CommandLine.parse(text)
    longer = line.append("new_word=1")

    assert read(longer.text).count(("new_word", "1")) == 1
    if line.parameters or line.dashdash is not None:
        assert longer.remove(*longer.named("new_word")).text == text


@given(lines(), st.data())
def test_removing_a_word_leaves_all_others_as_they_were(text: str, data: st.DataObject) -> None:
    line = CommandLine.parse(text)
    if not line.parameters:
        return
    chosen = data.draw(st.sampled_from(line.parameters))

    shorter = line.remove(chosen)

    expected = [each.text for each in line.parameters if each != chosen]
    assert [each.text for each in shorter.parameters] == expected
    assert (shorter.dashdash is None) == (line.dashdash is None)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("quiet", None, "quiet"),
        ("a", "", "a="),
        ("a", "b", "a=b"),
        ("a", "b c", 'a="b c"'),
        ("a", " ", 'a=" "'),
        ("a", "b=c", "a=b=c"),
        ("a", "it's", "a=it's"),
        ("a", 'b"c"d', 'a=b"c"d'),
        ("a", 'b"c d"', 'a=b"c d"'),
        ("a", '"b"', 'a=""b""'),
    ],
)
def test_parameter_text_quotes_only_what_needs_it(
    name: str, value: str | None, expected: str
) -> None:
    assert parameter_text(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", None),
        ("--", None),
        ("a b", "c"),
        ("a=b", "c"),
        ('"a', "c"),
        ("a", 'b"'),
        ("a", 'b" c'),
        ("a", "b\nc"),
        ("a", "b\0"),
        ("a", "é"),
        ("ä", None),
    ],
)
def test_parameter_text_refuses_what_the_kernel_would_read_otherwise(
    name: str, value: str | None
) -> None:
    with pytest.raises(ParseError):
        parameter_text(name, value)


@given(
    st.text(alphabet='ab=" -1', max_size=6), st.none() | st.text(alphabet="ab=\" '-1", max_size=8)
)
def test_parameter_text_is_read_back_or_refused(name: str, value: str | None) -> None:
    try:
        text = parameter_text(name, value)
    except ParseError:
        return

    assert read(f"x {text} y") == [("x", None), (name, value), ("y", None)]
