"""The base of all plain data does what `typing.NamedTuple` does."""

from __future__ import annotations

import pickle
import typing

import pytest

from secboot.named_tuple import NamedTuple


class Ours(NamedTuple):
    """A size."""

    number: int
    unit: str = "MiB"
    of: typing.Any = None

    @property
    def text(self) -> str:
        return f"{self.number} {self.unit}"

    def __str__(self) -> str:
        return self.text


class Theirs(typing.NamedTuple):
    """A size."""

    number: int
    unit: str = "MiB"
    of: typing.Any = None


def test_it_is_the_same_for_its_users() -> None:
    ours, theirs = Ours(4), Theirs(4)

    assert (ours._fields, ours._field_defaults) == (theirs._fields, theirs._field_defaults)
    assert tuple(ours) == tuple(theirs)
    assert ours._replace(unit="GiB") == (4, "GiB", None)
    assert repr(ours) == "Ours(number=4, unit='MiB', of=None)"
    assert (Ours.__doc__, Ours.__qualname__, Ours.__module__) == ("A size.", "Ours", __name__)
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    assert ours._asdict() == theirs._asdict()
    assert Ours._make([1, "KiB", 2]) == (1, "KiB", 2)
    assert not hasattr(ours, "__dict__")
    assert pickle.loads(pickle.dumps(ours)) == ours  # noqa: S301 - our own bytes


def test_it_has_methods_of_its_own() -> None:
    assert f"{Ours(512)}" == Ours(512).text == "512 MiB"


def test_it_is_matched_by_place_and_hashed_by_value() -> None:
    match Ours(3, "KiB"):
        case Ours(number, unit):
            assert (number, unit) == (3, "KiB")
    assert {Ours(3): "three"}[Ours(3)] == "three"


def test_fields_that_do_not_exist_are_not_replaced() -> None:
    with pytest.raises(ValueError, match="colour"):
        Ours(3)._replace(colour="red")  # type: ignore[call-arg]


def test_fields_that_are_missing_or_too_many_are_named() -> None:
    with pytest.raises(TypeError, match=r"Ours.__new__\(\) missing .*'number'"):
        Ours()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="given"):
        Ours(1, "KiB", 2, 3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Expected 3"):
        Ours._make([1])


def test_each_has_its_own_fields_and_defaults() -> None:
    class Many(NamedTuple):
        a: int
        b: int = 1
        c: int = 2
        d: int = 3

    assert Many(0, d=4) == (0, 1, 2, 4)
    assert (Many(0, d=4).a, Many(0, d=4).d) == (0, 4)
    assert Ours(0) == (0, "MiB", None)
