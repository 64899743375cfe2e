"""A failure as a JSON document (schema ``secboot/failure/1``), for commands with ``--output json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secboot.codec import encode, fields
from secboot.finding import Finding, Severity
from secboot.profile.nodes import ProfileError

if TYPE_CHECKING:
    from secboot.errors import ExitCode, MachineState, SecbootError

SCHEMA = "secboot/failure/1"


def failure_document(
    code: ExitCode, meaning: str, error: SecbootError, state: MachineState | None = None
) -> dict[str, Any]:
    """Return the document of an error that ends the command with exit code `code` and its `meaning`.

    `state` is that of the machine; None for a command that changes nothing.
    """
    only = Finding("failure", Severity.ERROR, error.message, error.location, error.hint)
    problems = error.problems if isinstance(error, ProfileError) else (only,)
    return {
        "schema": SCHEMA,
        "exit_code": int(code),
        "meaning": meaning,
        "state": None if state is None else fields(state),
        "problems": encode(problems),
    }
