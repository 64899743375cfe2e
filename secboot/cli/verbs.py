"""Which module has which verb; the order is that of ``secboot --help``.

Reading a verb's options and making them Typer's takes about as long as planning three boot
entries, so only the verb that is asked for is imported and made. Help, completion and mistakes
need them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

VERBS = {
    "plan": "look",
    "apply": "changes",
    "status": "status",
    "verify": "status",
    "fleet": "fleet",
    "rollback": "changes",
    "keep": "keep",
    "history": "changes",
    "show": "look",
    "check": "look",
    "profile": "profiles",
    "export": "export",
    "demo": "demo",
}
"""The module in `secboot.cli` whose function of that name is the verb, or whose `app` is a group."""


def register(app: typer.Typer, words: Sequence[str]) -> None:
    """Give the application the verb that `words`, the command line, name first; else all of them.

    No option before the verb takes a value, so the first word that is no option is the verb.
    """
    named = next((word for word in words if not word.startswith("-")), None)
    for verb in VERBS if named is None or named not in VERBS else (named,):
        module = import_module(f"secboot.cli.{VERBS[verb]}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(getattr(module, verb))
