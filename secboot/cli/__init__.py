"""The command line: ``secboot VERB ...``."""

from __future__ import annotations

import gc
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command with the given words, or those of this process, and return its exit code."""
    if argv is not None:
        return _main(argv, is_process=False)
    # The process ends soon, and hardly anything that it makes has cycles: looking for them takes
    # a tenth of a short run, and at its end, when all is still in use, as long again.
    gc.disable()
    code = _main(sys.argv[1:], is_process=True)
    gc.freeze()
    return code


def _main(words: list[str], *, is_process: bool) -> int:
    if words in (["--version"], ["-V"]):
        # Asked for by every script and by nobody who needs the rest: it stays cheap, and even
        # `typing` is not imported for it.
        from secboot import __version__

        print(f"secboot {__version__}")  # noqa: T201 - the command line talks to people
        return 0
    from secboot.cli.app import run

    return run(words, is_process=is_process)
