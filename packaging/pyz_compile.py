#!/usr/bin/env python3
"""Compile modules: run by each Python whose byte code goes into secboot.pyz (packaging/build_pyz.py).

Standard input has a dictionary of sources by file name, standard output gets one of byte code, both
in the form of the module marshal.
"""

import marshal
import sys


def main() -> None:
    """Compile everything on standard input."""
    sources: dict[str, bytes] = marshal.loads(sys.stdin.buffer.read())  # noqa: S302 - ours
    code = {
        name: marshal.dumps(compile(source, name, "exec", dont_inherit=True))
        for name, source in sources.items()
    }
    sys.stdout.buffer.write(marshal.dumps(code, 4))


if __name__ == "__main__":
    main()
