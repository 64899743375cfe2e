"""The codes that secboot can print, read from its source: from everything that makes a `Finding`.

A code is the first argument of `Finding`, or of a function that passes an argument on to it as it is
or with a constant before it (``f"zipl.{code}"``). It must be a constant, a choice of
constants, a constant of a module, or come from a table; anything else is reported as unclear, since a
code that nobody can look up has no explanation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

from secboot.named_tuple import NamedTuple
from secboot.status.trial import TrialState

PACKAGE = Path(__file__).parents[2] / "secboot"

PASSED_ON: dict[str, Callable[[str], str] | None] = {
    "zipl/configuration.py": None,
    "formats/zipl_line.py": None,
    "report/reported.py": None,
    "report/explain.py": None,
    "formats/bls_entry.py": lambda code: f"zipl.{code.replace('.', '-')}",
    "formats/zipl_parameters.py": lambda code: f"zipl.{code}",
}
"""Modules that pass on the codes of others, or whose codes others pass on, with the change that is made."""

OF_ENUM: dict[tuple[str, str], type[StrEnum]] = {("status/trial.py", "state"): TrialState}
"""Attributes, by module, that are part of a code, with their possible values."""

_KEBAB = re.compile(r"[a-z0-9_.]+(?:-[a-z0-9_]+)*")


class Codes(NamedTuple):
    """Each code with the places that make it, and the places whose code is unclear."""

    made: dict[str, list[str]]
    unclear: list[str]


class _Maker(NamedTuple):
    """A function that makes findings: the argument for its code, and the prefix that it adds."""

    position: int
    keyword: str
    prefix: str


class _Module:
    """A module's tree, with the parent of each node."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.relative_to(PACKAGE).as_posix()
        self.room = self.name.partition("/")[0]
        self.tree = ast.parse(path.read_text())
        self.parents = {
            child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)
        }
        self.calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    def scope_of(self, name: str) -> str:
        """The scope of a function's name: its module if it is private, otherwise its room."""
        return self.name if name.startswith("_") else self.room

    def function_of(self, node: ast.AST) -> ast.FunctionDef | None:
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.FunctionDef):
                return node
        return None


class _Unclear(Exception):  # noqa: N818 - control flow inside this module
    """The expression is not in one of the forms that can be read."""


@cache
def collect() -> Codes:
    """Read all of secboot."""
    paths = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "composed.py"]
    return _Collector([_Module(path) for path in paths]).collect()


class _Collector:
    def __init__(self, modules: list[_Module]) -> None:
        self.modules = {module.name: module for module in modules}
        self.makers: dict[tuple[str, str], _Maker] = {}
        while self._found_makers():
            pass

    def collect(self) -> Codes:
        found = Codes({}, [])
        for module in self.modules.values():
            change = PASSED_ON.get(module.name) or (lambda code: code)
            for call, maker in self._calls(module):
                place = f"{module.name}:{call.lineno}"
                try:
                    for code in self._codes(call, maker, module):
                        found.made.setdefault(change(maker.prefix + code), []).append(place)
                except _Unclear:
                    if module.name not in PASSED_ON:
                        found.unclear.append(place)
        return found

    def _found_makers(self) -> bool:
        """Look for functions that pass an argument on to a known one; return whether there was one."""
        before = len(self.makers)
        for module in self.modules.values():
            for call, maker in self._calls(module):
                function, given = module.function_of(call), _argument(call, maker)
                made = None if function is None else _passes_on(function, given, maker.prefix)
                if function is not None and made is not None:
                    name = function.name
                    self.makers.setdefault((name, module.scope_of(name)), made)
        return len(self.makers) > before

    def _calls(self, module: _Module) -> Iterator[tuple[ast.Call, _Maker]]:
        for call in module.calls:
            name = _called(call)
            if name == "Finding":
                yield call, _Maker(0, "code", "")
            elif name == "_replace" and any(each.arg == "code" for each in call.keywords):
                yield call, _Maker(99, "code", "")
            elif (maker := self.makers.get((name, module.scope_of(name)))) is not None:
                yield call, maker
            else:
                yield from self._of_another_room(name, call)
            if name == "_Refused":
                yield call, _Maker(0, "code", "")

    def _of_another_room(self, name: str, call: ast.Call) -> Iterator[tuple[ast.Call, _Maker]]:
        """A public function with the name of a maker elsewhere, called with what looks like a code."""
        others = {maker for (known, _), maker in self.makers.items() if known == name}
        for maker in others if not name.startswith("_") else ():
            given = _argument(call, maker)
            if isinstance(given, ast.Constant) and _KEBAB.fullmatch(str(given.value)):
                yield call, maker

    def _codes(self, call: ast.Call, maker: _Maker, module: _Module) -> Iterator[str]:
        given = _argument(call, maker)
        if given is None:
            raise _Unclear
        function = module.function_of(call)
        if function is not None and _passes_on(function, given, "") is not None:
            return  # The callers of the function pass it.
        yield from self._values(given, function, module)

    def _values(
        self, node: ast.expr, function: ast.FunctionDef | None, module: _Module
    ) -> Iterator[str]:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.IfExp):
            yield from self._values(node.body, function, module)
            yield from self._values(node.orelse, function, module)
        elif isinstance(node, ast.JoinedStr):
            yield from self._joined(node.values, function, module)
        elif isinstance(node, ast.FormattedValue):
            yield from self._values(node.value, function, module)
        elif isinstance(node, ast.Attribute) and (module.name, node.attr) in OF_ENUM:
            yield from map(str, OF_ENUM[module.name, node.attr])
        elif isinstance(node, ast.Name):
            yield from self._named(node.id, function, module)
        else:
            raise _Unclear

    def _joined(
        self, parts: list[ast.expr], function: ast.FunctionDef | None, module: _Module
    ) -> Iterator[str]:
        if not parts:
            yield ""
            return
        for first in self._values(parts[0], function, module):
            for rest in self._joined(parts[1:], function, module):
                yield first + rest

    def _named(self, name: str, function: ast.FunctionDef | None, module: _Module) -> Iterator[str]:
        """The values of a variable of the function, or of a constant of this or another module."""
        local = [] if function is None else list(_assigned(name, function))
        if local:
            for value in local:
                if isinstance(value, tuple):
                    yield from self._of_table(*value, module)
                else:
                    yield from self._values(value, function, module)
            return
        own = list(_assigned(name, module.tree))
        if own and isinstance(own[0], ast.expr):
            yield from self._values(own[0], None, module)
            return
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and name in {each.name for each in node.names}:
                path = (node.module or "").removeprefix("secboot.").replace(".", "/") + ".py"
                if path in self.modules:
                    yield from self._named(name, None, self.modules[path])
                    return
        raise _Unclear

    def _of_table(self, value: ast.expr, index: int, module: _Module) -> Iterator[str]:
        """``a, b = TABLE[key]``, where the table is a dictionary of tuples in the module."""
        if not isinstance(value, ast.Subscript) or not isinstance(value.value, ast.Name):
            raise _Unclear
        tables = list(_assigned(value.value.id, module.tree))
        if not tables or not isinstance(tables[0], ast.Dict):
            raise _Unclear
        for row in tables[0].values:
            if not isinstance(row, ast.Tuple):
                raise _Unclear
            yield from self._values(row.elts[index], None, module)


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _argument(call: ast.Call, maker: _Maker) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == maker.keyword:
            return keyword.value
    before = call.args[: maker.position + 1]
    is_there = len(before) > maker.position and not any(isinstance(e, ast.Starred) for e in before)
    return before[maker.position] if is_there else None


def _passes_on(function: ast.FunctionDef, given: ast.expr | None, prefix: str) -> _Maker | None:
    """Return `function` as a maker, if it passes its argument on, with or without a constant before it."""
    parameters = [each.arg for each in function.args.args]
    if isinstance(given, ast.JoinedStr) and len(given.values) == 2:
        first, second = given.values
        if isinstance(first, ast.Constant) and isinstance(second, ast.FormattedValue):
            prefix, given = prefix + str(first.value), second.value
    if not isinstance(given, ast.Name) or given.id not in parameters:
        return None
    if any(True for _ in _assigned(given.id, function)):
        return None
    bound = parameters[0] in {"self", "cls"}
    return _Maker(parameters.index(given.id) - bound, given.id, prefix)


def _assigned(name: str, scope: ast.AST) -> Iterator[ast.expr | tuple[ast.expr, int]]:
    """What a name is set to: an expression, or an expression and the place in what it unpacks to."""
    own = scope.body if isinstance(scope, ast.Module) else list(ast.walk(scope))
    for node in own:
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets: list[ast.expr] = [node.target]
            value = node.value
        elif isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id == name:
                yield value
            elif isinstance(target, ast.Tuple):
                names = [each.id if isinstance(each, ast.Name) else "" for each in target.elts]
                if name in names:
                    yield value, names.index(name)
