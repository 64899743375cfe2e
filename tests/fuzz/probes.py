"""Which lines and branches of secboot a run reaches: its modules get probes when imported.

A probe is a byte, at each statement of a function, at each operand of `and` and `or`, and at each
arm and condition of an expression. At the first statement of a block it counts: one more bit is
set each time, up to eight, so a loop that runs longer is also something new.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

_HITS = "__secboot_hits__"
_LONGEST_WORD = 24
_NAME = "secboot"


class Probes:
    """The probes of all modules that were imported since `install`."""

    def __init__(self) -> None:
        self.hits = bytearray()
        self.lines: dict[int, tuple[str, int]] = {}
        """File and line of each probe at a statement."""
        self.words: dict[str, set[bytes]] = {}
        """The short strings in a file: what its branches compare with."""

    def install(self) -> None:
        """Add probes to the modules of secboot that are imported from now on."""
        setattr(builtins, _HITS, self.hits)
        sys.meta_path.insert(0, _Finder(self))

    def reset(self) -> None:
        """Reset what was reached."""
        self.hits[:] = bytes(len(self.hits))

    def reached(self) -> int:
        """What was reached since the last reset, as bits; the position of a bit never changes."""
        return int.from_bytes(self.hits, "little")

    def lines_of(self, reached: int) -> set[tuple[str, int]]:
        """The lines that belong to these bits."""
        found = reached.to_bytes(len(self.hits), "little")
        return {self.lines[number] for number in self.lines if found[number]}

    def words_of(self, reached: int) -> tuple[bytes, ...]:
        """The strings in the files that belong to these bits."""
        files = {file for file, _ in self.lines_of(reached)}
        return tuple(sorted(set().union(*(self.words[file] for file in files))))

    def compiled(self, source: bytes, path: str) -> CodeType:
        """The code of a module, with probes."""
        tree = ast.parse(source, path)
        self.words[path] = set(_words(tree))
        changed = _Prober(self, path).visit(tree)
        return compile(ast.fix_missing_locations(changed), path, "exec")

    def new(self) -> int:
        """The number of a new probe."""
        self.hits.append(0)
        return len(self.hits) - 1


class _Finder:
    """Finds the modules of secboot, and loads them with probes."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Other modules are left to other finders."""
        if fullname.partition(".")[0] != _NAME:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, self._probes)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, probes: Probes) -> None:
        super().__init__(fullname, path)
        self._probes = probes

    def get_code(self, fullname: str) -> CodeType:
        """Use no cache of compiled code."""
        _ = fullname
        return self._probes.compiled(self.get_data(self.path), self.path)


def _words(tree: ast.AST) -> list[bytes]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value
            data = value.encode(errors="surrogatepass") if isinstance(value, str) else value
            if 0 < len(data) <= _LONGEST_WORD:
                found.append(data)
    return found


class _Prober(ast.NodeTransformer):
    """Adds the probes to one module; what runs only once, at import, has none."""

    def __init__(self, probes: Probes, path: str) -> None:
        self._probes = probes
        self._path = path
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._depth += 1
        node.body = self._block(node.body)
        self._depth -= 1
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._depth += 1
        node.body = self._probed(self.visit(node.body))
        self._depth -= 1
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if self._depth:
            node.body, node.orelse = self._probed(node.body), self._probed(node.orelse)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        if self._depth:
            node.values[1:] = [self._probed(value) for value in node.values[1:]]
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if self._depth:
            node.ifs = [ast.BoolOp(ast.And(), [each, self._true()]) for each in node.ifs]
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Probe the blocks of a statement."""
        for name, value in ast.iter_fields(node):
            if self._depth and isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, self._block(value))
            elif isinstance(value, list):
                value[:] = [
                    self.visit(each) if isinstance(each, ast.AST) else each for each in value
                ]
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for place, statement in enumerate(statements):
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not is_text:
                number = self._probes.new()
                self._probes.lines[number] = (self._path, statement.lineno)
                found.append(_hit(number, counted=place == 0))
            found.append(self.visit(statement))
        return found

    def _probed(self, node: ast.expr) -> ast.expr:
        """The same value, with the probe set."""
        return ast.BoolOp(ast.Or(), [_set(self._probes.new()), node])

    def _true(self) -> ast.expr:
        return ast.UnaryOp(ast.Not(), _set(self._probes.new()))


def _hit(number: int, *, counted: bool) -> ast.stmt:
    place = f"{_HITS}[{number}]"
    text = f"{place} = {place} << 1 & 255 | 1" if counted else f"{place} = 1"
    return ast.parse(text).body[0]


def _set(number: int) -> ast.expr:
    """An expression that sets a probe and is None."""
    return ast.parse(f"{_HITS}.__setitem__({number}, 1)", mode="eval").body
