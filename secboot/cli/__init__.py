"""The command line: ``secboot VERB ...``."""

from __future__ import annotations

import gc
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command with `argv`, or the arguments of this process, and return its exit code."""
    if argv is not None:
        return _main(argv, is_process=False)
    # The process ends soon and creates hardly any cycles: looking for them takes a tenth of a short
    # run, and as long again at its end, when everything is still in use.
    gc.disable()
    code = _main(sys.argv[1:], is_process=True)
    gc.freeze()
    return code


def _main(words: list[str], *, is_process: bool) -> int:
    if words in (["--version"], ["-V"]):
        # Scripts ask for this often and need nothing else, so it stays cheap: not even `typing` is
        # imported for it.
        from secboot import __version__

        print(f"secboot {__version__}")  # noqa: T201 - this is the command's output
        return 0
    from secboot.cli.app import run

    return run(words, is_process=is_process)
