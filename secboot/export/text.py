"""Longer texts inside of shell scripts and YAML documents."""

from __future__ import annotations

import json
from itertools import chain, count


def here_document(text: str) -> str:
    """Return ``<<'EOF'`` with the text behind it, for a shell to read back byte by byte.

    `text` ends with a newline: a here document has no other end.
    """
    lines = set(text.splitlines())
    marks = chain(["EOF"], (f"EOF{number}" for number in count(2)))
    mark = next(each for each in marks if each not in lines)
    return f"<<'{mark}'\n{text}{mark}\n"


def yaml_block(text: str, indentation: int) -> str:
    """Return a text as the value of a YAML key, as a block where that keeps every character.

    Each line of a block is indented by so many blanks. Ends with a newline.
    """
    body = text.removesuffix("\n")
    plain = body + "\n" == text and not body.endswith("\n") and not body.startswith((" ", "\n"))
    if not plain or not all(line.isprintable() for line in body.split("\n")):
        return json.dumps(text) + "\n"
    margin = " " * indentation
    lines = [f"{margin}{line}" if line else "" for line in body.split("\n")]
    return "|\n" + "\n".join(lines) + "\n"
