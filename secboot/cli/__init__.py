"""The command line: ``secboot VERB ...``."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the given words, or those of this process, and return its exit code."""
    if argv is not None:
        return _main(argv)
    # The process ends soon, and hardly anything that it makes has cycles: looking for them takes
    # a tenth of a short run, and at its end, when all is still in use, as long again.
    gc.disable()
    code = _main(sys.argv[1:])
    gc.freeze()
    return code


def _main(words: Sequence[str]) -> int:
    if list(words) == ["--version"]:
        # Asked for by every script and by nobody who needs the rest: it stays cheap.
        from secboot import __version__

        print(f"secboot {__version__}")  # noqa: T201 - the command line talks to people
        return 0
    from secboot.cli.app import run

    return run(words)
