"""A parmfile, and how zipl joins it with `parameters=` (zipl/src/job.c: get_parmline).

Texts are UTF-8 decoded with ``surrogateescape`` and without newline translation.
"""

from __future__ import annotations

import re

_NEWLINES = "\n+"


def parmfile_line(text: str) -> str:
    """Return the line that zipl makes of a parmfile's `text`.

    The first NUL ends it; each run of newlines becomes one blank, also at the ends; nothing
    else changes (job.c: get_parmline).
    """
    return re.sub(_NEWLINES, " ", text.partition("\0")[0])


def join_parameters(parmfile: str | None, parameters: str | None) -> str | None:
    """Return the parameter line of a section, or None if it has none.

    `parmfile` is the text of its parmfile, `parameters` the value of its ``parameters=``;
    None where there is no such thing. The parmfile comes first. One blank goes between them
    unless the parmfile's line is empty or ends in a blank (job.c: append_parmline); a tab
    is no blank here.
    """
    if parmfile is None:
        return parameters
    line = parmfile_line(parmfile)
    if parameters is None:
        return line
    blank = "" if not line or line.endswith(" ") else " "
    return f"{line}{blank}{parameters}"
