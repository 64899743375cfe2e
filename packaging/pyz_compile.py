#!/usr/bin/env python3
"""Compile modules: run by each Python whose byte code goes into secboot.pyz (packaging/build_pyz.py).

Standard input has a dictionary of sources by file name, standard output gets one of byte code, both
in the form of the module marshal.

The byte code has no docstrings, except those that Typer shows as help; `build_pyz.py` starts this with
-X no_debug_ranges. A third of the size is saved: columns of tracebacks, and texts that nothing shows.
"""

import ast
import marshal
import sys

HELP = "secboot/cli/"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def tree_of(source: bytes, name: str) -> ast.Module:
    """Parse a module, without its docstrings unless it makes a command's help."""
    tree = ast.parse(source, name)
    if not name.startswith(HELP):
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
                node.body[:1] = (
                    [] if node.body[1:] else [ast.copy_location(ast.Pass(), node.body[0])]
                )
    return tree


def main() -> None:
    """Compile everything on standard input."""
    sources: dict[str, bytes] = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 - ours
    code = {
        name: marshal.dumps(compile(tree_of(source, name), name, "exec", dont_inherit=True))
        for name, source in sources.items()
    }
    sys.stdout.buffer.write(marshal.dumps(code, 4))


if __name__ == "__main__":
    main()
