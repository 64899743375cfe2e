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


def test_a_stale_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    for name in ("secboot", "profiles", "packaging/reference", "packaging/generate", "docs"):
        run("cp", "-r", CHECKOUT / name, (tmp_path / name).parent)
    page = tmp_path / "docs/man/secboot.8"
    fresh = run(sys.executable, tmp_path / "packaging/generate")
    page.write_text(page.read_text().replace("dry", "wet"))

    done = run(sys.executable, tmp_path / "packaging/generate", "--check")

    assert fresh.returncode == 0
    assert done.returncode == 1
    assert "docs/man/secboot.8" in done.stderr


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
