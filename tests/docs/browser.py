"""A real browser that shows pages at any width, bright or dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.available import unavailable
from tests.packaging import npm

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CLIPPED = """
const wider = [...document.querySelectorAll("body *")].filter((each) => {
  const style = getComputedStyle(each);
  const shown = each.checkVisibility({visibilityProperty: true}) && each.clientWidth > 1;
  return shown && style.overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1
    && !each.closest(".sidebar-drawer, .toc-drawer");
});
const beyond = document.documentElement.scrollWidth > window.innerWidth ? ["the page"] : [];
return [...beyond, ...wider.map((each) => `${each.localName}.${each.className}: ${each.textContent.slice(0, 60)}`)];
"""
"""Elements that hold more than they show."""

ACCESSIBLE = """
const done = arguments[0];
axe.run(document, {resultTypes: ["violations"]}).then((found) => done(found.violations.map(
  (each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" | ")}`
)));
"""
"""What axe-core (`axe`) has to say against the page."""


@contextmanager
def browser() -> Iterator[Chrome]:
    """Provide a browser without a window; pages in files may read the files next to them."""
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


def axe() -> str:
    """Return the script of axe-core."""
    script = npm.modules() / "axe-core/axe.min.js"
    if not script.exists():
        unavailable("axe-core is not installed; run packaging/setup")
    return script.read_text()


def set_screen(driver: Chrome, width: int, *, height: int = 900, dark: bool = False) -> None:
    """Make the screen this large (CSS pixels), and the user one who likes it bright or dark."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
