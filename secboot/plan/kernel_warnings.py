"""Warnings about kernels that do not support what the profile requires, as far as that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location
from secboot.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secboot.machine.discovery import Machine
    from secboot.plan.plan import EntryPlan
    from secboot.profile.profile import Profile
    from secboot.running.system import LiveFacts


def kernel_warnings(
    profile: Profile, machine: Machine, plans: Sequence[EntryPlan], live: LiveFacts | None
) -> tuple[Finding, ...]:
    """Return a warning for each entry whose kernel does not support a parameter.

    The kernel image decides, and so does the running kernel if it is the same one. Only if neither
    shows it, the release number decides.
    """
    images = {Location(e.path, e.line): e.image for e in machine.configuration.entries}
    shown = None if live is None else live.hosting_kernel
    found = []
    for plan in plans:
        image = images.get(plan.location)
        kernel = None if image is None else machine.old_kernels.get(image.path)
        if kernel is None or kernel.release == shown:
            continue
        for requirement in profile.requirements:
            reason = requirement.unknown_to(kernel.release, kernel.boot_names)
            if reason is not None:
                message = f"the kernel of '{plan.name}', {kernel.release}, {reason}"
                found.append(Finding("kernel-too-old", Severity.WARNING, message, plan.location))
    return tuple(found)
