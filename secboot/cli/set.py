"""``secboot set``: change single parameters, said in words instead of a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.cli.site import Site
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile


def set(  # noqa: A001 - a verb is the function of its name
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...",
            help="NAME=VALUE and no other (of console= and others that add up: among them);"
            " NAME without a value; NAME+=VALUE one more; NAME-=VALUE without this one; NAME-"
            " without any.",
            show_default=False,
            autocompletion=options.completed_by("parameters"),
        ),
    ],
    dry_run: options.DryRun = False,
    show_profile: Annotated[
        bool,
        typer.Option(
            "--show-profile", help="Print the profile that this amounts to, and change nothing."
        ),
    ] = False,
    entries: Annotated[
        list[str] | None,
        typer.Option(
            "--entries",
            metavar="all|default|TITLE",
            help="Which boot entries to change; a title or a section's name can have * and ?, and"
            " the option can be given several times. By default all of them.",
            show_default=False,
        ),
    ] = None,
    no_rescue: Annotated[
        bool, typer.Option("--no-rescue", help="Leave rescue entries as they are.")
    ] = False,
    as_spelled: Annotated[
        bool,
        typer.Option("--as-spelled", help="Take names that look misspelt for what they are."),
    ] = False,
    root: options.Root = options.HERE,
    output: options.Output = "text",
    diff: options.Diff = None,
    ask: options.Ask = False,
    zipl: options.Zipl = None,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
    parmfile: options.Parmfile = None,
    allow_unsealed: options.AllowUnsealed = False,
    trial: options.Trial = False,
    run_kargs: options.RunKargs = False,
) -> int:
    """Set, add and remove single kernel parameters.

    Each word is one of the kernel's command line, double quotes included. The change is planned,
    checked and applied as that of a profile, and `secboot rollback` undoes it. The active profile
    stays what it is.
    """
    from secboot.cli.apply import ApplyRequest, carry_out, require_alone
    from secboot.cli.plan import planner
    from secboot.cli.printing import print_text
    from secboot.cli.site import Site
    from secboot.machine.profile_files import RootProfileFiles
    from secboot.profile import words as said

    require_alone(trial=trial, others=(parmfile is not None, allow_unsealed, run_kargs))
    if dry_run or show_profile:
        only_looks()
    beside = said.Options(tuple(entries or ("all",)), rescue=not no_rescue, as_spelled=as_spelled)
    with Site(
        root,
        words=(*words, *beside.typed),
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        profile = said.profile_of_words(words, beside, RootProfileFiles(site.root))
        if show_profile:
            print_text(profile.sources[0].text)
            return 0
        make_plan = planner(site, profile, parmfile, allow_unsealed=allow_unsealed)
        make_plan = _checked(make_plan, profile, site)
        asked = ApplyRequest(site, profile, make_plan, parmfile, trial=trial)
        return carry_out(asked, output, dry_run=dry_run, diff=diff, ask=ask, run_kargs=run_kargs)


def _checked(
    make_plan: Callable[[Machine], Plan], profile: Profile, site: Site
) -> Callable[[Machine], Plan]:
    """Return what makes a plan of which what was typed is known to exist.

    It has warnings about what the active profile wants otherwise.
    """
    active = _active(site)

    def make(machine: Machine) -> Plan:
        plan = make_plan(machine)
        _require_possible(profile, plan, site)
        if active is None:
            return plan
        from secboot.plan.contradictions import contradictions

        found = contradictions(plan, active, site.invocation)
        return plan._replace(warnings=(*plan.warnings, *found))

    return make


def _require_possible(profile: Profile, plan: Plan, site: Site) -> None:
    """Raise RefusedError where nothing is there to be set, or no entry of a name that was typed."""
    from secboot.errors import RefusedError

    if plan.before_kernel and not any(store.met for store in plan.stores):
        raise RefusedError(
            "there is no boot entry yet, and nothing that kernels installed later get their line from",
            hint="apply a profile, to which `secboot keep` brings them (--show-profile prints one)",
        )
    unmatched = profile.entries.unmatched(tuple(entry.name for entry in plan.entries))
    if unmatched:
        raise RefusedError(
            f"no boot entry is named {' or '.join(map(repr, unmatched))}",
            hint=f"they are shown by: {site.invocation.command('show')}",
        )


def _active(site: Site) -> Profile | None:
    """Return the active profile; None where there is none, or it is not known which one it is.

    The checkpoints are readable by root alone, and `keep` says what is wrong with what they name.
    """
    from secboot.apply.apply import active_profile
    from secboot.errors import SecbootError

    try:
        return active_profile(site.root, site.state, site.invocation)
    except SecbootError:
        return None
