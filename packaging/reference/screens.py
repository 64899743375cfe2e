"""Pictures of what secboot prints on a terminal, made from real runs on the sample machine."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_CHECKOUT = Path(__file__).resolve().parents[2]
_ROWS = 40
_THEME = TerminalTheme(
    (22, 25, 29),
    (224, 228, 233),
    [
        *((22, 25, 29), (255, 138, 128), (126, 211, 133), (242, 201, 110)),
        *((127, 176, 255), (208, 160, 255), (120, 214, 214), (224, 228, 233)),
    ],
)
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" class="rich-terminal" viewBox="0 0 {width} {height}" role="img">
<title>@TITLE@</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{height}"/></clipPath>
{lines}
</defs>
<rect fill="#16191d" x="1" y="1" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, 14)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""The form of the picture; no font is loaded from elsewhere."""


def plan() -> str:
    """Return the plan for a guest, which finds a missing and a wrong value, on a wide terminal."""
    return _picture("plan", 105, (), ("plan", "guest", "--root", "machine"))


def status() -> str:
    """Return the status after an apply whose boot record has not been written yet."""
    return _picture(
        "status",
        80,
        (("apply", "guest", "--root", "machine"),),
        ("status", "guest", "--root", "machine"),
    )


def _picture(
    name: str, columns: int, before: tuple[tuple[str, ...], ...], words: tuple[str, ...]
) -> str:
    with tempfile.TemporaryDirectory() as place:
        for each in (("demo", "machine"), *before):
            _run(each, place, subprocess.DEVNULL, columns)
        shown = _on_terminal(words, place, columns)
    text = f"\x1b[1m$ secboot {' '.join(words)}\x1b[0m\n{shown.rstrip()}"
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text.from_ansi(text), soft_wrap=True)
    form = _SVG.replace("@TITLE@", f"What secboot {' '.join(words)} shows")
    svg = console.export_svg(theme=_THEME, code_format=form, unique_id=name)
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def _run(words: tuple[str, ...], place: str, output: int, columns: int) -> None:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(_CHECKOUT),
        "TERM": "xterm-256color",
        "COLUMNS": str(columns),
        "LC_ALL": "C.UTF-8",
    }
    subprocess.run(
        [sys.executable, "-m", "secboot", *words],
        check=True,
        cwd=place,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
    )


def _on_terminal(words: tuple[str, ...], place: str, columns: int) -> str:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
    try:
        _run(words, place, theirs, columns)
    finally:
        os.close(theirs)
    said = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while part := terminal.read(65536):
                said += part
        except OSError:
            # The terminal ends when no process has it open any more.
            pass
    return said.decode().replace("\r\n", "\n")
