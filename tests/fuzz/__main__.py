"""Search for inputs that break secboot, guided by coverage.

  python -m tests.fuzz --minutes 60           all targets, an hour in all
  python -m tests.fuzz --minutes 5 grub.cfg   one target
  python -m tests.fuzz --list                 list the targets
  python -m tests.fuzz --repeat TARGET FILE   one input again, with its traceback

Each find is written to a file and printed with the command that repeats it. After a fix, the input
goes to tests/fuzz/corpus/TARGET, which the tests always try. Exits with 1 if something was found.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.probes import Probes


def main(words: list[str]) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all")
    parser.add_argument("--minutes", type=float, default=1.0, help="in all (1)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="what chance comes from")
    parser.add_argument(
        "--finds", type=Path, default=Path("fuzz-finds"), metavar="DIRECTORY", help="of inputs"
    )
    parser.add_argument(
        "--corpus", type=Path, metavar="DIRECTORY", help="to go on from, and add to"
    )
    parser.add_argument("--list", action="store_true", help="list the targets")
    parser.add_argument("--repeat", action="store_true", help="run one input: TARGET FILE")
    asked = parser.parse_args(words)
    probes = Probes()
    if not asked.repeat:
        probes.install()
    from tests.fuzz.search import Search, repeat, say  # noqa: PLC0415 - with probes
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    names = asked.targets[:1] if asked.repeat else asked.targets
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))} (--list shows them)")
    if asked.list:
        say("\n".join(TARGETS))
        return 0
    if asked.repeat:
        if len(asked.targets) != 2:
            parser.error("--repeat takes a target and a file")
        repeat(*asked.targets)
        return 0
    search = Search(names or list(TARGETS), probes, asked.seed, asked.finds, asked.corpus)
    return 1 if search.run(asked.minutes * 60) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
