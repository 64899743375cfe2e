"""The profiles that come with secboot.

They lie beside the package's modules, in ``secboot/profiles`` of an installed wheel or a zip
application, and in the checkout's own ``profiles`` folder. They are read through the package's
loader, which knows all three; ``importlib.resources`` would cost more time than all else that
``secboot plan`` imports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import secboot
from secboot.errors import RefusedError

SHIPPED = ("host", "host-off", "guest", "guest-large", "guest-off")
"""Their names, in the order in which they are listed."""


@runtime_checkable
class _DataLoader(Protocol):
    """What the loaders of files and of zip archives have in common."""

    def get_data(self, path: str) -> bytes:
        """The content of a file; OSError if there is none."""


def shipped_path(name: str) -> str:
    """What stands for the path of a shipped profile in messages."""
    return f"<shipped>/{name}.yaml"


def shipped_text(name: str) -> str | None:
    """The text of a shipped profile, or None if there is none of that name."""
    if name not in SHIPPED:
        return None
    loader = getattr(secboot, "__loader__", None)
    package = Path(secboot.__file__).parent
    for folder in (package, package.parent):
        if isinstance(loader, _DataLoader):
            try:
                return loader.get_data(str(folder / "profiles" / f"{name}.yaml")).decode()
            except OSError:
                continue
    raise RefusedError(
        f"the shipped profile {name!r} is missing: secboot is not installed completely",
        hint="install secboot again",
    )
