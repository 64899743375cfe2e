"""A profile in an editor: yaml-language-server with the shipped schema, asked as an editor asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from secboot.profile.schema import FILE
from tests.available import unavailable
from tests.packaging import npm
from tests.packaging.language_server import SERVER, LanguageServer
from tests.packaging.programs import CHECKOUT, require

pytestmark = pytest.mark.package

WRONG = """\
version: 1
role: gest
extends: guest
parameters:
  prot-virt: 1
  swiotlb:
    at_least: 512
  quiet: true
  console: tty0
  debug: on
memory: 4 GB
"""
SIZE = "write a size like '512 MiB' or '262144 blocks'"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    """The server as the page for Git repositories sets it up: words are those of YAML 1.1."""
    if not (npm.modules() / SERVER).is_file():
        unavailable("yaml-language-server is not installed; run packaging/setup")
    node = require("node")
    directory = tmp_path_factory.mktemp("profiles")
    with LanguageServer(node, CHECKOUT / FILE, directory, yaml_version="1.1") as running:
        yield running


def test_a_problem_is_where_it_was_written(server: LanguageServer) -> None:
    found = server.problems("wrong.yaml", WRONG)

    assert [(line, column) for line, column, _ in found] == [
        *((2, 7), (5, 3), (7, 15), (8, 10), (9, 12), (10, 10), (11, 9)),
    ]
    said = {line: message for line, _, message in found}
    assert said[5].startswith("looks like a misspelling of 'prot_virt'")
    assert said[7].startswith(SIZE)
    assert "put words like on, no and true in quotes" in said[8]
    assert said[9].startswith("must be a list")
    assert said[10] == said[8]
    assert said[11] == "write a size like '4 GiB'"


def test_shipped_profiles_have_none(server: LanguageServer) -> None:
    for path in sorted((CHECKOUT / "profiles").glob("*.yaml")):
        assert server.problems(path.name, path.read_text()) == []


def test_keys_are_offered(server: LanguageServer) -> None:
    server.problems("new.yaml", "version: 1\nrole: \nparameters:\n  swiotlb:\n    a\nimage:\n  \n")

    assert server.completions("new.yaml", 2, 7) == ["guest", "host"]
    assert server.completions("new.yaml", 5, 6) == ["absent", "at_least", "exactly"]
    assert server.completions("new.yaml", 7, 3) == ["kernel", "output", "parmfile", "ramdisk"]


def test_keys_are_offered_on_an_empty_line(server: LanguageServer) -> None:
    server.problems("empty.yaml", "version: 1\nparameters:\n  swiotlb:\n    \n")
    assert server.completions("empty.yaml", 4, 5) == ["absent", "at_least", "exactly"]

    server.problems("list.yaml", "version: 1\nparameters:\n  console:\n    \n")
    offered = ["absent", "exactly", "excludes", "includes", "present"]
    assert server.completions("list.yaml", 4, 5) == offered


def test_a_word_is_explained(server: LanguageServer) -> None:
    server.problems("good.yaml", WRONG)

    assert "bounce buffer of a guest" in server.hover("good.yaml", 6, 5)
    assert "- `{at_least: 512 MiB}`:" in server.hover("good.yaml", 6, 5)
    assert "This size or a larger one." in server.hover("good.yaml", 7, 8)
    assert "Example: `role: guest`" in server.hover("good.yaml", 2, 2)
