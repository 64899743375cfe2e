"""Sphinx configuration for these pages: ``./dev site`` builds them into dist/site."""

from __future__ import annotations

import re
from pathlib import Path

_VERSION = re.search(
    r'__version__ = "([^"]+)"', (Path(__file__).parents[1] / "secboot/__init__.py").read_text()
)

project = "secboot"
author = "the secboot developers"
release = _VERSION[1] if _VERSION else ""
html_title = f"secboot {release}"
language = "en"

extensions = ["myst_parser"]
# Headings have the same anchors as on GitHub.
myst_heading_anchors = 4
exclude_patterns = ["man"]
nitpicky = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_use_index = False
# Nothing is loaded from elsewhere, so that the site also works without a network.
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
