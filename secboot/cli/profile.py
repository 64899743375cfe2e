"""``secboot profile list|show|validate|schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options

if TYPE_CHECKING:
    from secboot.profile.search import Candidate
    from secboot.report.profile import ListedProfile
    from secboot.system.root import Root

app = typer.Typer(
    help="List, show and validate profiles; print their schema.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_profiles(root: options.Root = options.HERE, output: options.Output = "text") -> int:
    """List the profiles that can be used by name, the first of a name is the one used."""
    from secboot.cli.printing import print_report
    from secboot.machine.profile_files import RootProfileFiles
    from secboot.profile.search import available_profiles
    from secboot.report.profile import list_document, list_text
    from secboot.system.root import Root

    with Root(root) as tree:
        candidates = available_profiles(RootProfileFiles(tree))
        listed = [_listed(candidate, tree) for candidate in candidates]
    print_report(output, lambda: list_document(listed), lambda style: list_text(listed, style))
    return 0


@app.command()
def show(
    profile: options.Profile,
    root: options.Root = options.HERE,
    output: options.Output = "text",
) -> int:
    """Show what a profile asks for, with all that it extends."""
    from secboot.cli.printing import print_report
    from secboot.machine.profile_files import read_profile
    from secboot.report.profile import profile_document, profile_text
    from secboot.system.root import Root

    with Root(root) as tree:
        found = read_profile(profile, tree)
    print_report(output, lambda: profile_document(found), lambda style: profile_text(found, style))
    return 0


@app.command()
def validate(
    profiles: Annotated[
        list[str], typer.Argument(metavar="PROFILE...", help="Names or paths of profiles.")
    ],
    root: options.Root = options.HERE,
) -> int:
    """Check profiles and report everything that is wrong with them."""
    from secboot.cli.printing import print_error, print_text, style
    from secboot.errors import ExitCode, SecbootError
    from secboot.machine.profile_files import read_profile
    from secboot.report.profile import validated_text
    from secboot.system.root import Root

    worst = ExitCode.OK
    with Root(root) as tree:
        for reference in profiles:
            try:
                found = read_profile(reference, tree)
            except SecbootError as error:
                print_error(error)
                worst = error.exit_code
                continue
            print_text(validated_text(found, style()))
    return worst


@app.command()
def schema() -> int:
    """Print the JSON Schema of profiles, for editors and other tools."""
    from secboot.cli.printing import print_json
    from secboot.profile.schema import profile_schema

    print_json(profile_schema())
    return 0


def _listed(candidate: Candidate, tree: Root) -> ListedProfile:
    from secboot.errors import SecbootError
    from secboot.finding import Finding, Severity
    from secboot.machine.profile_files import read_profile
    from secboot.profile.nodes import ProfileError
    from secboot.report.profile import ListedProfile

    description: str = ""
    problems: tuple[Finding, ...] = ()
    if not candidate.hidden:
        try:
            description = read_profile(candidate.name, tree).description
        except ProfileError as error:
            problems = error.problems
        except SecbootError as error:
            why = Finding(
                "profile.unreadable", Severity.ERROR, error.message, error.location, error.hint
            )
            problems = (why,)
    return ListedProfile(candidate.name, candidate.path, candidate.hidden, description, problems)
