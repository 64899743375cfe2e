"""`typing.NamedTuple`, six times as fast: the base of all plain data.

`typing` compiles the annotation of each field, and `collections.namedtuple` compiles a ``__new__`` for
each class, which takes longer than everything else about it; a command makes about ninety classes before
it does anything. Here annotations are left as they are, and ``__new__`` is compiled once for each number
of fields, into which the names are then inserted. The result is the same: a subclass of tuple with
`_fields`, `_replace` and so on.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import NamedTuple, Self
else:
    _new = tuple.__new__
    _codes: dict[int, CodeType] = {}
    _One = namedtuple("_One", "field")  # noqa: PYI024 - only for its descriptor
    _Field = type(_One.field)
    """The descriptor that reads one field, in C."""
    _Function = type(lambda: None)

    class _Made(tuple):
        """The methods that all classes have in common."""

        __slots__ = ()

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self:
            made = _new(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"Expected {len(cls._fields)} arguments, got {len(made)}")
            return made

        def _replace(self, /, **changes: object) -> Self:
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"Got unexpected field names: {[*changes]!r}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            values = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{self.__class__.__name__}({', '.join(values)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    def _code(number: int) -> CodeType:
        """Return the code of a ``__new__`` for this number of fields."""
        if number not in _codes:
            names = "".join(f"_{place}, " for place in range(number))
            text = f"lambda _cls, {names}: _new(_cls, ({names}))"
            _codes[number] = eval(text).__code__  # noqa: S307 - no text from outside
        return _codes[number]

    class _Maker(type):
        def __new__(cls, name: str, _: tuple[type, ...], namespace: dict[str, Any]) -> type:
            fields = tuple(namespace["__annotations__"])
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            code = _code(len(fields)).replace(
                co_name="__new__", co_qualname=f"{name}.__new__", co_varnames=("_cls", *fields)
            )
            new = _Function(code, _IN_NEW, "__new__", tuple(defaults.values()))
            made = {field: _Field(place, field) for place, field in enumerate(fields)}
            made |= {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields}
            return type(name, (_Made,), {"__slots__": (), "__new__": new, **made, **namespace})

    _IN_NEW = {"_new": _new, "__builtins__": {}}
    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})

__all__ = ["NamedTuple"]
