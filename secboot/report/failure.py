"""A failure as a JSON document (schema ``secboot/failure/1``), for commands with ``--output json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.codec import encode
from secboot.finding import Finding, Severity
from secboot.profile.nodes import ProfileError

if TYPE_CHECKING:
    from secboot.errors import ExitCode, SecbootError

SCHEMA = "secboot/failure/1"


def failure_document(code: ExitCode, meaning: str, error: SecbootError) -> dict[str, Any]:
    """Return the document of an error that ends the command with exit code `code` and its `meaning`."""
    only = Finding("failure", Severity.ERROR, error.message, error.location, error.hint)
    problems = error.problems if isinstance(error, ProfileError) else (only,)
    return {
        "schema": SCHEMA,
        "exit_code": int(code),
        "meaning": meaning,
        "problems": encode(problems),
    }
