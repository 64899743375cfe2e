"""`enum.StrEnum`, six times as fast to create: the base of all enumerations of strings.

A command makes some thirty of these classes before it does anything, and `enum` looks at each of their
attributes in many ways, most of which are for numbers, flags and aliases. The result is the same for its
users: the members are strings, each is one object that `is` recognizes, and the class iterates over them,
finds one by its value and counts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum
else:

    class _Enumeration(type):
        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            words = {
                key: namespace.pop(key) for key in [*namespace] if _is_member(key, namespace[key])
            }
            made = type.__new__(cls, name, bases, namespace)
            made.by_value = {}
            for key, text in words.items():
                member = made.by_value[text] = str.__new__(made, text)
                member.name, member.value = key, text
                setattr(made, key, member)
            return made

        def __call__(cls, value: str) -> Any:  # noqa: ANN401 - a member
            member = cls.by_value.get(value)
            if member is None:
                raise ValueError(f"{value!r} is not a valid {cls.__name__}")
            return member

        def __iter__(cls) -> Iterator[Any]:
            return iter(cls.by_value.values())

        def __len__(cls) -> int:
            return len(cls.by_value)

        def __contains__(cls, value: object) -> bool:
            return value in cls.by_value

    def _is_member(key: str, value: object) -> bool:
        return type(value) is str and not key.startswith("_")

    class StrEnum(str, metaclass=_Enumeration):
        """The methods that all classes have in common."""

        def __repr__(self) -> str:
            return f"<{type(self).__name__}.{self.name}: {self.value!r}>"

        def __reduce__(self) -> tuple[type, tuple[str]]:
            return type(self), (self.value,)


__all__ = ["StrEnum"]
