"""The fleet page in a real browser: on a phone, with fifty machines, with a filter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from secboot.report.fleet import in_order
from secboot.report.fleet_page import fleet_page
from secboot.report.reported import unreadable
from secboot.status.stages import Stage
from tests.docs.browser import ACCESSIBLE, CLIPPED, axe, browser, set_screen
from tests.report.test_fleet import MADE, made_up

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

SCREENS = (360, 1280, 1920)
SHOWN = "[...document.querySelectorAll('tbody tr')].filter((row) => row.checkVisibility())"


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty machines; one of them has the longest possible name."""
    machines = [made_up("MMMMM", f"lpar{n:02}") for n in range(44)]
    machines += [made_up("MMLNN", f"z15-{'x' * 59}", "shop"), made_up("LLLLL", "web01", "shop")]
    machines += [made_up("MMUMM", "web02"), made_up("MMMML", "db1"), made_up("MMMNL", "db2")]
    machines += [unreadable("gone", "reports/gone.json", "the file is empty")]
    path = tmp_path_factory.mktemp("fleet") / "page.html"
    path.write_text(fleet_page(in_order(machines), Stage.EFFECTIVE, MADE))
    return path


def hosts(driver: Chrome) -> list[str]:
    found = driver.execute_script(f"return {SHOWN}.map((row) => row.cells[0].textContent)")
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["bright", "dark"])
@pytest.mark.parametrize("width", SCREENS)
def test_everybody_can_read_all_of_it(driver: Chrome, page: Path, width: int, dark: bool) -> None:
    set_screen(driver, width, dark=dark)
    driver.get(page.as_uri())

    assert driver.execute_script(CLIPPED) == []
    driver.execute_script(axe())
    assert driver.execute_async_script(ACCESSIBLE) == []
    assert driver.get_log("browser") == []  # type: ignore[no-untyped-call] # selenium's


def test_a_large_screen_has_room_for_fifty(driver: Chrome, page: Path) -> None:
    set_screen(driver, 1920, height=1080)
    driver.get(page.as_uri())

    bottom = driver.execute_script(f"return {SHOWN}[49].getBoundingClientRect().bottom")

    assert bottom <= 1080


def test_a_phone_shows_every_stage(driver: Chrome, page: Path) -> None:
    set_screen(driver, 360)
    driver.get(page.as_uri())

    cells = driver.find_elements("css selector", "tbody tr.met:last-child td.stage")

    assert len(cells) == len(Stage)
    assert all(cell.is_displayed() and cell.rect["x"] + cell.rect["width"] <= 360 for cell in cells)
    assert len({cell.rect["y"] for cell in cells}) == 1


def test_rows_are_found_by_words_and_by_stage(driver: Chrome, page: Path) -> None:
    set_screen(driver, 1280)
    driver.get(page.as_uri())
    assert len(hosts(driver)) == 50
    words = driver.find_element("id", "words")

    words.send_keys("WEB shop")
    assert hosts(driver) == ["web01"]
    assert driver.find_element("id", "shown").text == "1 of 50 shown"

    words.send_keys(Keys.CONTROL, "a")
    words.send_keys(Keys.DELETE)
    stage = Select(driver.find_element("id", "stage"))
    stage.select_by_value("any")
    assert hosts(driver) == ["db1", "db2", "web01", f"z15-{'x' * 59}", "gone", "web02"]
    stage.select_by_value("effective")
    assert hosts(driver) == ["db1", "db2", "web01", "gone"]


def test_a_line_opens_to_all_that_is_known(driver: Chrome, page: Path) -> None:
    set_screen(driver, 1280)
    driver.get(page.as_uri())
    row = driver.find_element("css selector", "tbody tr")
    assert "not applied" not in row.text

    row.find_element("css selector", "summary").click()

    assert "not applied: secboot apply guest" in row.text
    assert "db1.json" in row.text


def test_without_scripts_all_rows_are_there(driver: Chrome, page: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "page.html"
    # The page's own policy blocks a script that was changed.
    blocked.write_text(page.read_text().replace('"use strict";', '"use strict" ;'))
    set_screen(driver, 1280)
    driver.get(blocked.as_uri())

    assert len(hosts(driver)) == 50
    assert not driver.find_element("id", "words").is_displayed()
