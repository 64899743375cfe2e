"""Running the command of an ostree system that does what a profile asks, when it is asked for.

It makes a new deployment and leaves the present one as it is, so that there is nothing to save
and to put back here: ``rpm-ostree rollback`` is the way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.apply.apply import ApplyResult
from secboot.apply.zipl import ZiplRun, words_of
from secboot.errors import RefusedError
from secboot.progress import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from secboot.apply.apply import Target
    from secboot.machine.discovery import Machine
    from secboot.plan.plan import Plan


def run_deployment_command(
    target: Target, make_plan: Callable[[Machine], Plan], show: Callable[[Plan], None]
) -> ApplyResult | None:
    """Run the command if the plan has one; None if it has none.

    `show` gets the plan before. Raises RefusedError for the tree of another machine, whose
    deployments are not managed from here, and when the command fails.
    """
    plan = make_plan(target.discover())
    argv = next((step.argv for step in plan.steps if step.argv), ())
    if plan.refusal is None or not argv:
        return None
    if target.zipl is None or target.zipl.chroot is not None:
        raise RefusedError(
            f"{argv[0]} manages the deployments of the running system only",
            hint="leave out --run-kargs to see what an image needs",
        )
    show(plan)
    target.progress.report(Phase.RUNNING, program=argv[0])
    done = target.zipl.runner.run(argv, timeout=target.zipl.timeout)
    if not done.succeeded:
        raise RefusedError(
            f"{argv[0]} failed: {words_of(done)}", hint="the deployments are as they were"
        )
    return ApplyResult(plan, None, ZiplRun(done.argv, done.duration, (argv[0],)), ())
