"""The order of layers, checked with the import graph of the source text."""

from __future__ import annotations

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from secboot.cli.app import VERBS

PACKAGE = Path(__file__).parent.parent / "secboot"

LAYERS = (
    (
        "digest",
        "errors",
        "finding",
        "invocation",
        "named_tuple",
        "visible",
        "progress",
        "codec",
        "__init__",
    ),
    ("system",),
    ("formats",),
    ("running",),
    ("kernel",),
    ("domain",),
    ("zipl",),
    ("checkpoint",),
    ("profile",),
    ("machine",),
    ("lines",),
    ("ipl",),
    ("layout",),
    ("plan", "repair"),
    ("apply", "status"),
    ("report", "export", "demo"),
    ("cli",),
    ("__main__",),
)
PURE = ("formats", "kernel", "domain", "zipl", "lines", "ipl", "layout", "plan", "repair")
EFFECTS = {"os", "pathlib", "subprocess", "shutil", "tempfile", "socket", "io", "fcntl"}
MODULES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = {
    path.stem.rpartition("-")[0].replace("-", "_") for path in PACKAGE.glob("report/schemas/*.json")
}
SAME_NAME = {
    "rollback": "of a checkpoint, and what a user's adds: the machine, zipl, the words",
    "prot_virt": "how the kernel reads it, and how a profile asks for it",
    "swiotlb": "how the kernel reads it, and how a profile asks for it",
}
"""Names that two modules have, and why this is not confusing."""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


NAMES = {module_name(path): path for path in MODULES}


def layer_of(module: str) -> int:
    """The layer of ``secboot.x.y``, counted from the lowest."""
    parts = module.split(".")
    name = parts[1] if len(parts) > 1 else "__init__"
    return next(number for number, names in enumerate(LAYERS) if name in names)


def imported_modules(path: Path) -> set[str]:
    """Every module that a file imports, type-checking imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES.keys()
            found |= inner or {node.module}
    return found


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_imports_only_from_its_own_layer_and_below(path: Path) -> None:
    own = layer_of(module_name(path))
    above = {
        name
        for name in imported_modules(path)
        if name.startswith("secboot.") and layer_of(name) > own
    }
    assert not above


def test_no_modules_import_one_another() -> None:
    """Nor in a circle; imports inside functions and imports only for types count as well."""
    graph = {name: imported_modules(path) & NAMES.keys() for name, path in NAMES.items()}

    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.relative_to(PACKAGE).parts[0] in PURE], ids=module_name
)
def test_pure_layers_have_no_effects(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported_modules(path)} & EFFECTS


def test_a_name_says_which_module_is_meant() -> None:
    """A module of ``cli`` is named after its verb, and one of ``report`` after its document."""
    named = defaultdict(list)
    for path in MODULES:
        *rooms, name = path.relative_to(PACKAGE).with_suffix("").parts
        is_role = (rooms == ["cli"] and name.replace("_", "-") in VERBS) or (
            rooms == ["report"] and name in DOCUMENTS
        )
        if not is_role:
            named[name].append(module_name(path))
    twice = {name: found for name, found in named.items() if len(found) > 1}
    del twice["__init__"]

    assert twice.keys() == SAME_NAME.keys(), twice


def test_a_name_says_which_class_is_meant() -> None:
    named = defaultdict(list)
    for name, path in NAMES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                named[node.name].append(name)

    assert {name: found for name, found in named.items() if len(found) > 1} == {}
