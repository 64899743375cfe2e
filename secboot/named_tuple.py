"""`typing.NamedTuple`, made in a quarter of the time: the form of all plain data.

`typing` compiles the text of each field's annotation, and `collections.namedtuple` makes the same
six methods for each class anew. A command makes some eighty such classes before it does anything.
Here annotations stay the texts that they are, and all classes share their methods. What is made
does the same for its users (`tests/test_named_tuple.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple, Self
else:
    from collections import _tuplegetter as field_at  # made for this, and faster than a property

    FIELDS = [field_at(index, None) for index in range(16)]

    class Record(tuple):
        """What all named tuples have; see `collections.namedtuple`."""

        __slots__ = ()
        _fields = ()

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Self:
            return tuple.__new__(cls, values)

        def _replace(self, /, **changes: object) -> Self:
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise ValueError(f"no such fields: {', '.join(changes)}")
            return made

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            shown = (f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({', '.join(shown)})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    class Maker(type):
        """Makes a class that derives from `Record` of one that is written as `NamedTuple`'s."""

        def __new__(cls, name: str, _: tuple[type, ...], namespace: dict[str, Any]) -> type:
            fields = tuple(namespace["__annotations__"])
            names = ", ".join(fields)
            # Only a function whose arguments are the fields is fast to call, as in `collections`.
            new = eval(f"lambda _cls, {names}: _new(_cls, ({names},))", {"_new": tuple.__new__})  # noqa: S307 - names of our own
            defaults = {field: namespace.pop(field) for field in fields if field in namespace}
            new.__defaults__ = tuple(defaults.values())
            FIELDS.extend(field_at(i, None) for i in range(len(FIELDS), len(fields)))
            return type(
                name,
                (Record,),
                {
                    **namespace,
                    **dict(zip(fields, FIELDS, strict=False)),
                    "__slots__": (),
                    "__new__": new,
                    "_fields": fields,
                    "_field_defaults": defaults,
                    "__match_args__": fields,
                },
            )

    NamedTuple = type.__new__(Maker, "NamedTuple", (), {})

__all__ = ["NamedTuple"]
