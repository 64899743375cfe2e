"""``secboot profile list|show|validate|schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.commands import VerbCommand, VerbGroup
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from secboot.errors import SecbootError
    from secboot.finding import Finding
    from secboot.profile.search import Candidate
    from secboot.report.profile import ListedProfile
    from secboot.system.root import Root

app = typer.Typer(
    help="List, show and validate profiles; print their schema.",
    cls=VerbGroup,
    rich_markup_mode=None,
)


@app.command("list", cls=VerbCommand)
def list_profiles(root: options.Root = options.HERE, output: options.Output = "text") -> int:
    """List the profiles available by name; the first match wins."""
    from secboot.cli.printing import print_report
    from secboot.machine.profile_files import RootProfileFiles
    from secboot.profile.search import available_profiles
    from secboot.report.profile import list_document, list_text
    from secboot.system.root import Root

    only_looks()
    with Root(root) as tree:
        candidates = available_profiles(RootProfileFiles(tree))
        listed = [_listed(candidate, tree) for candidate in candidates]
    print_report(output, lambda: list_document(listed), lambda style: list_text(listed, style))
    return 0


@app.command(cls=VerbCommand)
def show(
    profile: options.Profile,
    root: options.Root = options.HERE,
    output: options.Output = "text",
) -> int:
    """Show what a profile requires, with all that it extends."""
    from secboot.cli.printing import print_report
    from secboot.machine.profile_files import read_profile
    from secboot.report.profile import profile_document, profile_text
    from secboot.system.root import Root

    only_looks()
    with Root(root) as tree:
        found = read_profile(profile, tree)
    print_report(output, lambda: profile_document(found), lambda style: profile_text(found, style))
    return 0


@app.command(cls=VerbCommand)
def validate(
    profiles: Annotated[
        list[str],
        typer.Argument(
            metavar="PROFILE...",
            autocompletion=options.completed_by("profiles"),
            help="Profile names or paths.",
        ),
    ],
    root: options.Root = options.HERE,
    output: options.Output = "text",
) -> int:
    """Check profiles and report every problem."""
    from secboot.cli.printing import print_error, print_report
    from secboot.errors import ExitCode, SecbootError
    from secboot.machine.profile_files import read_profile
    from secboot.report.profile import CheckedProfile, checks_document, validated_text
    from secboot.system.root import Root

    only_looks()
    worst = ExitCode.OK
    checked = []
    with Root(root) as tree:
        for reference in profiles:
            try:
                found = read_profile(reference, tree)
            except SecbootError as error:
                print_error(error)
                worst = error.exit_code
                checked.append(CheckedProfile(reference, None, _problems(error)))
                continue
            checked.append(CheckedProfile(reference, found.path, found.warnings))
    print_report(
        output,
        lambda: checks_document(checked),
        lambda style: "".join(validated_text(each, style) for each in checked if each.valid),
    )
    return worst


@app.command(cls=VerbCommand)
def schema() -> int:
    """Print the JSON Schema of profiles, for editors and other tools."""
    from secboot.cli.printing import print_text
    from secboot.profile.schema import schema_text

    print_text(schema_text())
    return 0


def _listed(candidate: Candidate, tree: Root) -> ListedProfile:
    from secboot.errors import SecbootError
    from secboot.machine.profile_files import read_profile
    from secboot.report.profile import ListedProfile

    description: str = ""
    problems: tuple[Finding, ...] = ()
    if not candidate.hidden:
        try:
            description = read_profile(candidate.name, tree).description
        except SecbootError as error:
            problems = _problems(error)
    return ListedProfile(candidate.name, candidate.path, candidate.hidden, description, problems)


def _problems(error: SecbootError) -> tuple[Finding, ...]:
    """Why a profile cannot be used."""
    from secboot.finding import Finding, Severity
    from secboot.profile.nodes import ProfileError

    if isinstance(error, ProfileError):
        return error.problems
    code = "profile.unreadable"
    return (Finding(code, Severity.ERROR, error.message, error.location, error.hint),)
