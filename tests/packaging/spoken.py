"""Run command lines in one process and print what each says, as JSON: ``spoken.py < COMMANDS``.

For the libraries of other releases, so it needs nothing but secboot and what that needs.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from importlib import metadata

from secboot.cli import main


def spoken(words: list[str]) -> list[object]:
    """The exit status, standard output and standard error of one command line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status: object = main(words)
        except SystemExit as end:
            status = end.code
    return [status, out.getvalue(), err.getvalue()]


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    names = ("typer", "ruamel.yaml", "defusedxml")
    versions = {name: metadata.version(name) for name in names}
    said = [spoken(words) for words in json.load(sys.stdin)]
    json.dump({"python": sys.version_info[:2], "versions": versions, "said": said}, sys.stdout)
