from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.formats.zipl_conf import ZiplConf
from secboot.formats.zipl_line import Keyword, LineKind, Quoting, parse_line
from tests.strategies import conf_texts

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
SAMPLE_CONFS = sorted(SAMPLES.rglob("*.conf"))

any_text = st.text(
    st.one_of(
        st.sampled_from("[]:=#\"' \t\n\r\0ab1"),
        st.characters(codec="utf-8"),
        st.sampled_from(["\udc80", "\udcff"]),
    )
)
values = st.text(
    st.one_of(
        st.sampled_from("\"' \t=#[]"),
        st.characters(exclude_characters="\n\0", exclude_categories=["Cs"]),
    )
)


def decode(path: Path) -> str:
    return path.read_bytes().decode(errors="surrogateescape")


@settings(max_examples=150)
@given(st.one_of(any_text, conf_texts()))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert ZiplConf.parse(text).render() == text


@pytest.mark.parametrize("path", SAMPLE_CONFS, ids=lambda path: str(path.relative_to(SAMPLES)))
def test_samples_come_back_as_they_were(path: Path) -> None:
    assert ZiplConf.parse(decode(path)).render() == decode(path)


REFUSED = {
    "[linux": ("unterminated section heading", 1),
    "  [a b]": ("invalid character in section name", 5),
    "[lin\xe4x]": ("invalid character in section name", 5),
    "[]": ("empty section name", 2),
    "[linux] # c": ("unexpected characters after section name", 9),
    "[linux]\r": ("unexpected characters after section name", 8),
    ":men-u": ("invalid character in menu name ", 5),
    ": menu": ("blanks not allowed in menu name", 3),
    ":menu x": ("blanks not allowed in menu name", 7),
    ":": ("empty menu name", 2),
    "1 x=": ("number expected as keyword", 3),
    "1": ("unknown keyword", 1),
    "4294967297 = linux": ("number too large", 1),
    "Parameters=a": ("unknown keyword", 1),
    "\ufeff[linux]": ("unknown keyword", 1),
    "; comment": ("unknown keyword", 1),
    "parametersx=1": ("unexpected characters after keyword", 11),
    "parameters root": ("unknown keyword", 1),
    "defaultauto=1": ("unexpected characters after keyword", 8),
    "defaultauto # a=b": ("unexpected characters after keyword", 8),
    "defaultautox": ("unexpected characters at end of line", 12),
    'parameters="a': ("unterminated quotes", 12),
    'parameters="a" # c': ("unexpected characters at end of line", 16),
    'target="/boot"\r': ("unexpected characters at end of line", 15),
    "1 = 'a' b": ("unexpected characters at end of line", 9),
}


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_that_zipl_refuses_says_why_and_where(line: str) -> None:
    conf = ZiplConf.parse(f"# first\n{line}\n", "/etc/zipl.conf")
    problem = conf.problems[0]

    assert conf.lines[1].kind is LineKind.REFUSED
    message, column = REFUSED[line]
    assert (problem.message, str(problem.location)) == (message, f"/etc/zipl.conf:2:{column}")


VALUES = {
    "parameters=a b": ("a b", Quoting.NONE),
    "\tparameters =\t a b \t": ("a b", Quoting.NONE),
    'parameters=" a b " ': (" a b ", Quoting.DOUBLE),
    "parameters='a \"b\" c'": ('a "b" c', Quoting.SINGLE),
    'parameters=root="/dev/a" x': ('root="/dev/a" x', Quoting.NONE),
    "parameters=a # b": ("a # b", Quoting.NONE),
    'parameters="a # b"': ("a # b", Quoting.DOUBLE),
    "parameters=": ("", Quoting.NONE),
    "parameters=  \t": ("", Quoting.NONE),
    'parameters=""': ("", Quoting.DOUBLE),
    "parameters=a\r": ("a\r", Quoting.NONE),
    "parameters=a\0b": ("a", Quoting.NONE),
    "parameters=a=b=c": ("a=b=c", Quoting.NONE),
}


@pytest.mark.parametrize("line", VALUES)
def test_a_value_is_read_as_zipl_reads_it(line: str) -> None:
    value = parse_line(f"{line}\n").value

    assert value is not None
    assert (value.text, value.quoting) == VALUES[line]


@pytest.mark.parametrize("keyword", [word for word in Keyword if word is not Keyword.DEFAULTAUTO])
def test_every_keyword_is_known(keyword: Keyword) -> None:
    assert parse_line(f" {keyword} = x").keyword is keyword


def test_a_menu_position_wraps_around_like_an_int() -> None:
    assert parse_line("10000000000=linux").position == 1410065408


def test_sections_and_menus_are_found_in_order() -> None:
    conf = ZiplConf.parse("#c\n[a]\nimage=/x\n:m\n1=a\n[b]\ndefaultauto\n")

    assert [(block.name, block.is_menu) for block in conf.blocks] == [
        ("a", False),
        ("m", True),
        ("b", False),
    ]
    assert conf.sections[0].value(Keyword.IMAGE) == "/x"
    assert conf.menus[0].assignments[0].position == 1
    assert conf.sections[1].get(Keyword.DEFAULTAUTO) is not None


BASE = '[defaultboot]\n  default = linux\n[linux]\n\ttarget = "/boot"\n\timage = /boot/k\n\t#c\n\n'


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ('parameters = "a b"  \n', "c", 'parameters = "c"  \n'),
        ("parameters='a'\n", "c d", "parameters='c d'\n"),
        ("parameters=a\n", "c d", "parameters=c d\n"),
        ("parameters=a\n", " c", 'parameters=" c"\n'),
        ("parameters=a\n", '"c"', "parameters='\"c\"'\n"),
        ('parameters="a"\n', 'x="y z"', "parameters='x=\"y z\"'\n"),
        ("parameters='a'\n", "it's", 'parameters="it\'s"\n'),
        ('parameters="a"\n', 'x="y" it\'s', 'parameters=x="y" it\'s\n'),
        ('parameters="a"', "b", 'parameters="b"'),
        ("parameters=\t a \n", "b", "parameters=\t b \n"),
        ("parameters=\n", "b", "parameters=b\n"),
    ],
)
def test_setting_a_value_keeps_all_it_can(old: str, value: str, new: str) -> None:
    conf = ZiplConf.parse(f"[linux]\n{old}").with_values(Keyword.PARAMETERS, {"linux": value})

    assert conf.render() == f"[linux]\n{new}"


@settings(max_examples=150)
@given(st.sampled_from(list(VALUES)), values)
def test_what_is_set_is_what_zipl_reads(line: str, value: str) -> None:
    before = ZiplConf.parse(f"# x\n[a]\n{line}\n[b]\nparameters=z")
    try:
        after = before.with_values(Keyword.PARAMETERS, {"a": value})
    except RefusedError:
        assert '"' in value
        assert "'" in value
        return

    assert after.section("a").value(Keyword.PARAMETERS) == value  # type: ignore[union-attr]  # it is there
    assert [x.text for x in after.lines if x.number != 3] == [
        x.text for x in before.lines if x.number != 3
    ]
    assert after == ZiplConf.parse(after.render())


@settings(max_examples=150)
@given(conf_texts(), values, st.sampled_from([Keyword.PARAMETERS, Keyword.TARGET]))
def test_adding_adds_one_line_and_changes_no_other(text: str, value: str, keyword: Keyword) -> None:
    before = ZiplConf.parse(text)
    assume(before.sections)
    name = before.sections[-1].name
    assume(before.sections[-1].get(keyword) is None)
    try:
        after = before.with_values(keyword, {name: value})
    except RefusedError:
        return

    assert after.section(name).value(keyword) == value  # type: ignore[union-attr]  # it is there
    assert after == ZiplConf.parse(after.render())
    bodies = [line.body for line in after.lines]
    assert [line.body for line in before.lines] in [
        bodies[:index] + bodies[index + 1 :] for index in range(len(bodies))
    ]
    assert after.render().endswith("\n") is text.endswith("\n")


def test_a_value_already_there_changes_nothing() -> None:
    conf = ZiplConf.parse(BASE)

    assert conf.with_values(Keyword.TARGET, {"linux": "/boot"}) == conf


@pytest.mark.parametrize("value", ["a\nb", "a\0b", "' \" ", "\"it's", "\ud800"])
def test_a_value_that_zipl_conf_can_not_hold_is_refused(value: str) -> None:
    conf = ZiplConf.parse(BASE)

    with pytest.raises(RefusedError, match="cannot hold"):
        conf.with_values(Keyword.TARGET, {"linux": value})


def test_a_new_line_follows_the_style_of_its_section() -> None:
    conf = ZiplConf.parse(BASE).with_values(Keyword.PARAMETERS, {"linux": "a b"})

    assert conf.render() == BASE.replace("k\n", 'k\n\tparameters = "a b"\n')


def test_a_new_line_takes_over_the_quotes_of_other_sections() -> None:
    text = "[a]\nparameters='x'\n[b]\nimage=/k\n"

    conf = ZiplConf.parse(text).with_values(Keyword.PARAMETERS, {"b": "y z"})

    assert conf.render() == f"{text}parameters='y z'\n"


def test_a_file_without_a_final_newline_stays_without() -> None:
    conf = ZiplConf.parse("[a]\nimage=/k").with_values(Keyword.PARAMETERS, {"a": "y"})

    assert conf.render() == '[a]\nimage=/k\nparameters="y"'


def test_a_section_without_assignments_gets_its_first() -> None:
    conf = ZiplConf.parse("[a]\n[b]\n").with_values(Keyword.TARGET, {"a": "/boot"})

    assert conf.render() == "[a]\ntarget=/boot\n[b]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[b]\n", "section 'a' not found"),
        ("[a]\n[a]\n", "'a' is used more than once"),
        ("[a]\ntarget=1\ntarget=2\n", "'target' is used more than once"),
    ],
)
def test_an_ambiguous_or_missing_place_is_refused(text: str, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        ZiplConf.parse(text).with_values(Keyword.TARGET, {"a": "x"})


def test_the_flag_has_no_value_to_set() -> None:
    with pytest.raises(RefusedError, match="does not accept a value"):
        ZiplConf.parse("[a]\ndefaultauto\n").with_values(Keyword.DEFAULTAUTO, {"a": "1"})


def test_values_of_many_sections_are_set_as_one_by_one() -> None:
    text = '[defaultboot]\ndefaultauto\n[a]\nimage=/a\nparameters = "x"\n[b]\n image=/b\n[c]\n[d]'
    values = {"a": "1", "b": "2 3", "d": "4"}
    conf = ZiplConf.parse(text)
    one_by_one = conf
    for name, value in values.items():
        one_by_one = one_by_one.with_values(Keyword.PARAMETERS, {name: value})

    assert conf.with_values(Keyword.PARAMETERS, values).render() == one_by_one.render()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("[a]\n[a]\n", "a"),
        ("[a]\n", "b"),
        ("[a]\nparameters=1\nparameters=2\n", "a"),
    ],
)
def test_values_of_sections_that_are_not_unique_are_refused(text: str, name: str) -> None:
    with pytest.raises(RefusedError):
        ZiplConf.parse(text).with_values(Keyword.PARAMETERS, {name: "x"})


def test_the_cost_of_many_values_is_linear() -> None:
    count = 4000
    text = "".join(f"[s{n}]\nimage=/k{n}\n" for n in range(count))

    # One by one this takes minutes: each edit renumbers all lines after it.
    after = ZiplConf.parse(text).with_values(
        Keyword.PARAMETERS, {f"s{n}": f"n={n}" for n in range(count)}
    )

    assert after.render() == "".join(
        f'[s{n}]\nimage=/k{n}\nparameters="n={n}"\n' for n in range(count)
    )
