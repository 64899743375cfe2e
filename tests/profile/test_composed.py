"""The nodes that were generated for shipped profiles are those that would be read now."""

from __future__ import annotations

import sys

import pytest

from secboot.digest import digest
from secboot.profile.composed import COMPOSED
from secboot.profile.composer import Composer
from secboot.profile.document import read_document
from secboot.profile.nodes import Problems
from secboot.profile.search import SHIPPED, shipped_text


def text_of(name: str) -> str:
    text = shipped_text(name)
    assert text is not None
    return text


def test_every_shipped_profile_is_there_and_nothing_else() -> None:
    assert set(COMPOSED) == {digest(text_of(name).encode()) for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_nodes_are_those_of_the_yaml(name: str) -> None:
    text, problems = text_of(name), Problems()

    assert read_document(text, "a/path", problems) == Composer("a/path", problems).compose(text)
    problems.require_none()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_text_with_another_byte_is_read_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = text_of(name)
    monkeypatch.setitem(sys.modules, "secboot.profile.composer", None)

    assert read_document(text, "a/path", Problems()) is not None
    with pytest.raises(ImportError):
        read_document(f"{text} ", "a/path", Problems())
