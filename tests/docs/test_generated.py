"""Manual pages, reference pages and completions say what secboot does, and render."""

from __future__ import annotations

import os
import re
import runpy
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT, require, run

PAGES = sorted((CHECKOUT / "docs/man").glob("*.[58]"))


def test_all_are_up_to_date() -> None:
    done = run(sys.executable, CHECKOUT / "packaging/generate", "--check")

    assert done.returncode == 0, done.stderr


def test_a_stale_file_is_found_and_written_again(published: Path, tmp_path: Path) -> None:
    """Also one with an address that pyproject.toml no longer has."""
    for name in ("secboot", "profiles", "packaging", "docs", "ansible"):
        run("cp", "-r", published / name, tmp_path)
    run("cp", CHECKOUT / "pyproject.toml", tmp_path)
    page = tmp_path / "docs/man/secboot.8"
    page.write_text(page.read_text().replace("dry", "wet"))

    found = run(sys.executable, tmp_path / "packaging/generate", "--check")
    fresh = run(sys.executable, tmp_path / "packaging/generate")

    stale = found.stderr.partition(": ")[2].rstrip().split(", ")
    assert (found.returncode, fresh.returncode) == (1, 0)
    assert stale[0] == "docs/man/secboot.8"
    assert {"packaging/debian/watch", "packaging/rpm/secboot.spec"} < set(stale)
    for name in stale:
        written, here = tmp_path / name, CHECKOUT / name
        assert written.exists() == here.exists(), name
        assert not here.exists() or written.read_bytes() == here.read_bytes(), name


def test_reviews_leave_out_what_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(CHECKOUT / "packaging")
    generated = runpy.run_path(str(CHECKOUT / "packaging/generate"))["FILES"]
    attributes = (CHECKOUT / ".gitattributes").read_text()
    marked = re.findall(r"^/(\S+) +linguist-generated$", attributes, re.MULTILINE)

    assert [name for name in generated if not any(fnmatch(name, each) for each in marked)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_render_without_warnings(page: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANPAGER": "cat"}

    man = run(require("man"), "--warnings", "-l", page, env=environment)
    groff = run(require("groff"), "-ww", "-mandoc", "-Tutf8", page)
    mandoc = run(require("mandoc"), "-T", "lint", "-W", "warning", page)

    assert man.returncode == 0
    assert len(man.stdout.splitlines()) > 80
    assert man.stderr == groff.stderr == mandoc.stdout + mandoc.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_examples_keep_every_character(page: Path) -> None:
    # Text that a reader copies must work when typed: no typographic quotes or dashes.
    text = run(require("man"), "-l", page, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout

    assert not set(text) & set("\u2018\u2019\u201c\u201d\u2212\u2013\u2014\u02dc\u02c6")
