"""Which function is which verb; the order is that of ``secboot --help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.cli import changes, demo, look, profiles, status

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Give the verbs to the application."""
    app.command()(look.plan)
    app.command()(changes.apply)
    app.command()(status.status)
    app.command()(status.verify)
    app.command()(changes.rollback)
    app.command()(changes.history)
    app.command()(look.show)
    app.command()(look.check)
    app.add_typer(profiles.app, name="profile")
    app.command()(demo.demo)
