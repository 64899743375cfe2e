"""The base of all enumerations of strings does what `enum.StrEnum` does."""

from __future__ import annotations

import copy
import enum
import json
import pickle

import pytest

from secboot.string_enum import StrEnum


class Ours(StrEnum):
    """A colour."""

    RED = "red"
    """Like a rose."""
    DARK_BLUE = "dark blue"

    @property
    def is_dark(self) -> bool:
        return self.startswith("dark")


class Theirs(enum.StrEnum):
    """A colour."""

    RED = "red"
    DARK_BLUE = "dark blue"

    @property
    def is_dark(self) -> bool:
        return self.startswith("dark")


def test_it_is_the_same_for_its_users() -> None:
    for ours, theirs in zip(Ours, Theirs, strict=True):
        assert (ours.name, ours.value, ours.is_dark) == (theirs.name, theirs.value, theirs.is_dark)
        assert (str(ours), f"{ours:>10}") == (str(theirs), f"{theirs:>10}")
        assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
        assert (type(ours), type(str(ours)), type(ours.value)) == (Ours, str, str)
        assert hash(ours) == hash(theirs.value)
    assert (Ours.__doc__, Ours.__qualname__, Ours.__module__) == ("A colour.", "Ours", __name__)
    assert (len(Ours), list(Ours)) == (2, ["red", "dark blue"])
    assert json.dumps(list(Ours)) == json.dumps(list(Theirs))


def test_a_member_is_one_object() -> None:
    assert Ours("dark blue") is Ours.DARK_BLUE
    assert Ours(Ours.RED) is Ours.RED
    assert pickle.loads(pickle.dumps(Ours.RED)) is Ours.RED  # noqa: S301 - our own bytes
    assert copy.deepcopy(Ours.RED) is Ours.RED
    assert Ours.RED in Ours
    assert isinstance(Ours.RED, Ours)


def test_what_is_not_a_member_is_refused() -> None:
    with pytest.raises(ValueError, match="'green' is not a valid Ours"):
        Ours("green")
