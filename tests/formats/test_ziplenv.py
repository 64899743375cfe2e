from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError
from secboot.formats.zipl_parameters import ZiplenvFile

TEXT = """\
# zIPL environment
SW=swiotlb=262144
=nothing
no assignment
[site 3] the other data centre
SW=swiotlb=65536
SW=swiotlb=131072
[SITE 0]
_x1=
"""

texts = st.lists(
    st.sampled_from(
        ["A=1", "B=x y", "[site 1]", "[Site 9] c", "[site x]", "#A=2", "1A=2", "", "=", "A"]
    )
).map("\n".join)


@given(text=st.text() | texts)
@settings(max_examples=200)
def test_every_text_survives(text: str) -> None:
    document = ZiplenvFile.parse(text)

    assert document.render() == text
    assert len(document.variables) + len(document.problems) <= text.count("\n") + 1


def test_the_last_assignment_of_a_site_counts() -> None:
    environment = ZiplenvFile.parse(TEXT).environment

    assert environment.value("SW") == "swiotlb=262144"
    assert environment.value("SW", "3") == "swiotlb=131072"
    assert environment.value("SW", "0") == "swiotlb=262144"
    assert environment.value("_x1", "0") == ""
    assert environment.sites == ("0", "3")


def test_only_the_value_that_counts_is_edited() -> None:
    after = ZiplenvFile.parse(TEXT).set_value("3", "SW", "swiotlb=262144").render()

    assert after == TEXT.replace("swiotlb=131072", "swiotlb=262144")


def test_a_missing_last_newline_stays_missing() -> None:
    assert ZiplenvFile.parse("A=1").set_value(None, "A", "2").render() == "A=2"


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("A=1\n[site 10]\n", "unsupported site ID '10'", 2),
        ("[site x]\n", "unsupported site ID 'x'", 1),
        ("1A=2\n", "Unacceptable name '1A'", 1),
        ("A B=2\n", "Unacceptable name 'A B'", 1),
    ],
)
def test_what_zipl_refuses(text: str, message: str, line: int) -> None:
    (problem,) = ZiplenvFile.parse(text).problems

    assert (problem.message, str(problem.location)) == (message, f"/etc/ziplenv:{line}")


@pytest.mark.parametrize(
    ("site", "name", "value"), [("3", "A", "x"), (None, "B", "x"), (None, "A", "x\ny")]
)
def test_what_has_no_place_is_refused(site: str | None, name: str, value: str) -> None:
    with pytest.raises(RefusedError):
        ZiplenvFile.parse("A=1\n").set_value(site, name, value)
