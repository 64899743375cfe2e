"""A real browser that shows pages at any width, bright or dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.available import unavailable

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@contextmanager
def browser() -> Iterator[Chrome]:
    """Give a browser without a window; pages in files may read the files beside them."""
    from selenium import webdriver  # noqa: PLC0415 - it is slow, and few tests take it

    driver = shutil.which("chromedriver")
    if driver is None or shutil.which("chromium") is None:
        unavailable("chromium and chromedriver are not installed; run packaging/setup")
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.add_argument("--allow-file-access-from-files")
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def set_screen(driver: Chrome, width: int, *, dark: bool = False) -> None:
    """Make the screen this wide (CSS pixels), and the user one who likes it bright or dark."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
