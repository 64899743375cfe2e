"""Prometheus's promtool for the tests: unpacked from Debian's package, whose service is not installed."""

from __future__ import annotations

from pathlib import Path

from tests.s390x import apt
from tests.s390x.cache import cache_directory, locked_cache
from tests.s390x.recipe import BASE_SUITE

PACKAGE = "prometheus"


def _tree() -> Path:
    return cache_directory() / PACKAGE


def install() -> bool:
    """Unpack it where it is missing; return whether that was so. Raises apt.AptError."""
    with locked_cache() as cache:
        if _tree().is_dir():
            return False
        files = apt.Suite(BASE_SUITE, apt.native_architecture(), cache).fetch((PACKAGE,))
        with apt.replaced(_tree()) as work:
            apt.unpack(files[PACKAGE], work)
    return True


def program() -> Path:
    """Return the path of the program, whether it is unpacked or not."""
    return _tree() / "usr/bin/promtool"
