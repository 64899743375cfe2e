"""Which function is which verb; the order is that of ``secboot --help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.cli import demo, look, profiles

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Give the verbs to the application."""
    for verb in (look.plan, look.show, look.check):
        app.command()(verb)
    app.add_typer(profiles.app, name="profile")
    app.command()(demo.demo)
