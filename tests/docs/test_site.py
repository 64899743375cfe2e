"""The documentation can be read in a browser: every page is in the site, and no link leads nowhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT, run

LOADED = re.compile(
    r"""<(?:script|img|link)\b[^>]*\b(?:src|href)=["'](https?:|//)|@import|url\(["']?(?:https?:|//)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    configuration = CHECKOUT / "mkdocs.yml"

    done = run(sys.executable, "-m", "mkdocs", "build", "-q", "-f", configuration, "-d", directory)

    # It is built strictly: a link that leads nowhere, or a page that no menu has, is an error.
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def test_every_page_is_there(site: Path) -> None:
    written = {path.relative_to(CHECKOUT / "docs") for path in (CHECKOUT / "docs").rglob("*.md")}
    found = {path.relative_to(site) for path in site.rglob("*.html")}

    expected = {path.with_suffix(".html") for path in written} - {Path("README.html")}
    assert found == expected | {Path("index.html"), Path("404.html"), Path("search.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]

    assert files
    assert [path.name for path in files if LOADED.search(path.read_text())] == []
