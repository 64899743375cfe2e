"""Writing reports to standard output, and plans and pages to files."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from secboot.cli.options import Output
from secboot.errors import Location, RefusedError
from secboot.report.style import Style, style_for
from secboot.visible import visible

if TYPE_CHECKING:
    from pathlib import Path

    from secboot.plan.model import Plan


def style() -> Style:
    """Return the style for standard output."""
    return style_for(sys.stdout, os.environ)


def print_text(text: str) -> None:
    """Write text that ends with its newline."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_json(document: dict[str, Any]) -> None:
    """Write one JSON document; anything but ASCII is escaped, so that every byte survives."""
    import json

    print_text(json.dumps(document, indent=2) + "\n")


def print_plan(plan: Plan, output: Output, *, diffs: bool) -> None:
    """Write a plan for whom it is meant; JSON always has the diffs."""
    if output is Output.JSON:
        from secboot.report.plan_json import plan_document

        print_json(plan_document(plan))
    else:
        from secboot.report.plan_text import plan_text

        print_text(plan_text(plan, style(), diffs=diffs))


def save_parmfile(plan: Plan, path: Path) -> None:
    """Write the parmfile of a rebuilt sealed image to a file of the user, readable by its owner."""
    if plan.parmfile is None:
        raise RefusedError(
            "none of the boot entries that the profile selects boots a sealed image, so there is"
            " no parmfile to write",
            location=Location(visible(str(path))),
        )
    try:
        path.touch(mode=0o600)
        path.write_bytes(plan.parmfile.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise RefusedError(
            f"the parmfile can't be written: {error.strerror}",
            location=Location(visible(str(path))),
        ) from error


def save_page(text: str, path: Path) -> None:
    """Write a page to a file of the user, readable by everyone; the old page stays until then.

    A link stays one: what it points to is replaced.
    """
    import tempfile
    from pathlib import Path

    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            raise RefusedError("this is no file", location=Location(visible(str(path))))
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as stream:
            try:
                stream.write(text.encode())
                stream.flush()
                os.fchmod(stream.fileno(), 0o644)
                os.fsync(stream.fileno())
                Path(stream.name).replace(target)
            except BaseException:
                Path(stream.name).unlink()
                raise
    except OSError as error:
        raise RefusedError(
            f"the page can't be written: {error.strerror}", location=Location(visible(str(path)))
        ) from error


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan to a file of the user, readable by its owner: it holds boot files."""
    import json

    from secboot.report.plan_json import plan_document

    text = json.dumps(plan_document(plan), indent=2) + "\n"
    try:
        path.touch(mode=0o600)
        path.write_text(text)
    except OSError as error:
        raise RefusedError(
            f"the plan can't be saved: {error.strerror}", location=Location(visible(str(path)))
        ) from error


def load_plan(path: Path) -> Plan:
    """Read a plan that `save_plan` wrote."""
    import json

    from secboot.errors import ParseError
    from secboot.report.plan_json import plan_from_document

    shown = visible(str(path))
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise RefusedError(
            f"the plan can't be read: {error.strerror}", location=Location(shown)
        ) from error
    except ValueError as error:
        raise ParseError(
            "this is no saved plan",
            location=Location(shown),
            hint="make one with: secboot plan PROFILE --out FILE",
        ) from error
    return plan_from_document(document, shown)
