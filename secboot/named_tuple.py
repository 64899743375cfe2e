"""`typing.NamedTuple`, made in a third of the time: the form of all plain data.

`typing` compiles the text of each field's annotation, which takes longer than all else about the
class, and a command makes some eighty of them before it does anything. Here the texts stay as they
are. What is made is the same: a subclass of tuple with `_fields`, `_replace` and the rest.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Maker(type):
        def __new__(cls, name: str, _: tuple[type, ...], namespace: dict[str, Any]) -> type:
            fields = namespace["__annotations__"]
            defaults = [namespace.pop(field) for field in fields if field in namespace]
            made = namedtuple(  # noqa: PYI024 - this is how typing makes it, too
                name, fields, defaults=defaults, module=namespace["__module__"]
            )
            for attribute, value in namespace.items():
                setattr(made, attribute, value)
            return made

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})

__all__ = ["NamedTuple"]
