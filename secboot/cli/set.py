"""``secboot set``: change individual parameters, given as words instead of a profile."""

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
            help="NAME=VALUE sets the only value (of console= and others with several values: one"
            " of them). NAME sets it without a value. NAME+=VALUE adds a value, NAME-=VALUE removes"
            " that value, NAME- removes all values.",
            show_default=False,
            autocompletion=options.completed_by("parameters"),
        ),
    ],
    dry_run: options.DryRun = False,
    show_profile: Annotated[
        bool,
        typer.Option("--show-profile", help="Print the equivalent profile and change nothing."),
    ] = False,
    entries: Annotated[
        list[str] | None,
        typer.Option(
            "--entries",
            metavar="all|default|TITLE",
            help="Boot entries to change; a title or section name can contain * and ?, and the"
            " option can be repeated. By default all.",
            show_default=False,
        ),
    ] = None,
    no_rescue: Annotated[
        bool, typer.Option("--no-rescue", help="Do not change rescue entries.")
    ] = False,
    as_spelled: Annotated[
        bool,
        typer.Option("--as-spelled", help="Accept parameter names that look misspelled."),
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
    """Set, add or remove individual kernel parameters.

    Each word is a word of the kernel command line, double quotes included. The change is planned,
    checked and applied like that of a profile, and `secboot rollback` undoes it. The active profile
    does not change.
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
    chosen = said.Options(tuple(entries or ("all",)), rescue=not no_rescue, as_spelled=as_spelled)
    with Site(
        root,
        words=(*words, *chosen.typed),
        layout=layout,
        state_dir=state_dir,
        zipl=zipl,
        zipl_timeout=zipl_timeout,
        watched=output == "text",
    ) as site:
        profile = said.profile_of_words(words, chosen, RootProfileFiles(site.root))
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
    """Return the function that plans, and checks that the boot entries that were typed exist.

    The plan has warnings about parameters that the active profile sets differently.
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
    """Raise RefusedError if there is nothing to change, or no boot entry of a name that was typed."""
    from secboot.errors import RefusedError

    if plan.before_kernel and not any(store.met for store in plan.stores):
        raise RefusedError(
            "there is no boot entry yet, and no file from which future kernels take their parameters",
            hint="apply a profile instead: `secboot keep` applies it to new boot entries"
            " (--show-profile prints one)",
        )
    unmatched = profile.entries.unmatched(tuple(entry.name for entry in plan.entries))
    if unmatched:
        names = " or ".join(f"'{name}'" for name in unmatched)
        raise RefusedError(
            f"no boot entry is named {names}",
            hint=f"list the boot entries: {site.invocation.command('show')}",
        )


def _active(site: Site) -> Profile | None:
    """Return the active profile; None if there is none, or it is unknown.

    Only root can read the checkpoints, and `keep` reports what is wrong with the profile they name.
    """
    from secboot.apply.active_profile import active_profile
    from secboot.errors import SecbootError

    try:
        return active_profile(site.root, site.state, site.invocation)
    except SecbootError:
        return None
