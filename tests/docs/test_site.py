"""The documentation can be read in a browser: on a phone, on a large screen, in the dark, by all."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.browser import ACCESSIBLE, CLIPPED, axe, browser, set_screen
from tests.packaging.programs import CHECKOUT, run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LOADED = re.compile(
    r"""<(?:script|img|link)\b[^>]*\b(?:src|href)=["'](https?:|//)|@import|url\(["']?(?:https?:|//)"""
)
PAGES = sorted(
    path.relative_to(CHECKOUT / "docs").with_suffix(".html")
    for path in (CHECKOUT / "docs").rglob("*.md")
)
DIAGRAMS = sorted((CHECKOUT / "docs/diagrams").glob("*.svg"))
WIDTHS = (360, 1280, 1920)
"""A phone, a laptop, a large screen: CSS pixels."""

BEYOND = """
const paper = document.documentElement.viewBox.baseVal;
return [...document.querySelectorAll("text")].filter((each) => {
  const box = each.getBBox();
  return box.x < 8 || box.y < 8 || box.x + box.width > paper.width - 8
    || box.y + box.height > paper.height - 8;
}).map((each) => each.textContent);
"""
"""Words of a diagram that stand outside of its paper."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    words = ("--quiet", "--fail-on-warning", "--keep-going")

    done = run(sys.executable, "-m", "sphinx", *words, CHECKOUT / "docs", directory)

    # It is built strictly: a link that leads nowhere, or a page that no menu has, is an error.
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    with browser() as opened:
        yield opened


def test_every_page_is_there(site: Path) -> None:
    found = {path.relative_to(site) for path in site.rglob("*.html")}

    assert found == {*PAGES, Path("search.html")}


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in {".html", ".css"}]

    assert files
    assert [path.name for path in files if LOADED.search(path.read_text())] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_is_clipped(site: Path, driver: Chrome, width: int) -> None:
    set_screen(driver, width)
    clipped: dict[str, Any] = {}
    for page in PAGES:
        driver.get((site / page).as_uri())
        clipped[str(page)] = driver.execute_script(CLIPPED)

    assert {page: found for page, found in clipped.items() if found} == {}


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=lambda path: path.stem)
def test_a_diagram_holds_its_words(driver: Chrome, diagram: Path) -> None:
    driver.get(diagram.as_uri())

    assert driver.title
    assert driver.execute_script(BEYOND) == []


@pytest.mark.parametrize(
    ("width", "dark"), [(360, False), (1280, False), (1280, True)], ids=["360", "1280", "dark"]
)
def test_everybody_can_read_it(site: Path, driver: Chrome, width: int, dark: bool) -> None:
    set_screen(driver, width, dark=dark)
    wrong: dict[str, Any] = {}
    for page in (*PAGES, Path("search.html")):
        driver.get((site / page).as_uri())
        driver.execute_script(axe())
        wrong[str(page)] = driver.execute_async_script(ACCESSIBLE)

    assert {page: found for page, found in wrong.items() if found} == {}


def test_the_search_finds_pages_without_a_server(site: Path, driver: Chrome) -> None:
    set_screen(driver, 1280)
    driver.get((site / "search.html").as_uri() + "?q=swiotlb")
    driver.implicitly_wait(20)

    found = driver.find_elements("css selector", "#search-results li a")

    assert any("profile" in str(each.get_attribute("href")) for each in found)
