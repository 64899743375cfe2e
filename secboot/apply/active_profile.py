"""The active profile: the one that new boot entries must meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.errors import Location, RefusedError, UsageError
from secboot.formats.text import decoded
from secboot.machine.profile_files import is_name, read_profile
from secboot.profile.declared import DECLARED, LIMIT, DeclaredProfile
from secboot.visible import visible

if TYPE_CHECKING:
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.invocation import Invocation
    from secboot.profile.profile import Profile
    from secboot.system.root import Root


def active_profile(root: Root, state: StateDirectory, invocation: Invocation) -> Profile | None:
    """Return the active profile, which new boot entries must meet; None if there is none.

    It is the profile that /etc/secboot/profile names or, without that file, the profile of the newest
    apply that was not rolled back. The file is an administrator's decision and is followed as it is. The
    applied profile is only used while it still has the text that was applied, because nobody agreed to
    anything else.

    Raises RefusedError if the active profile is unknown, UsageError for a file that does not name exactly
    one profile, and whatever reading the profile raises.
    """
    declared = _declared(root)
    if declared is not None:
        try:
            return read_profile(declared, root)
        except UsageError as error:
            if error.location is None:
                error.location = Location(root.shown(DECLARED))
            raise
    opened = state.open()
    if opened is None:
        # Then what reads checkpoints is not needed, either.
        return None
    from secboot.checkpoint.store import CheckpointStore  # noqa: PLC0415 - see above
    from secboot.checkpoint.undo import newest_profile  # noqa: PLC0415

    with CheckpointStore(opened) as store:
        applied, doubts = newest_profile(store)
    if doubts:
        raise RefusedError(
            f"the active profile is unknown: {doubts[0].finding.message}",
            hint=f"name the profile in {root.shown(DECLARED)}, or apply it again",
        )
    if applied is None or applied.record.audit.profile is None:
        return None
    name, digest = applied.record.audit.profile, applied.record.audit.profile_digest
    try:
        # A path is only valid on the machine where it was typed, so only a name is looked up.
        profile = read_profile(name, root) if is_name(name) else None
    except UsageError:
        profile = None
    if profile is None:
        raise RefusedError(
            f"the profile '{visible(name)}', which checkpoint {applied.id} applied, was not found by"
            " its name",
            hint=f"put it in {root.shown('/etc/secboot/profiles')}, or name a different profile in"
            f" {root.shown(DECLARED)}",
        )
    if profile.digest != digest:
        raise RefusedError(
            f"the profile '{name}' was changed after checkpoint {applied.id} applied it",
            hint=f"review it with `{invocation.command('plan', name)}`, then apply it",
        )
    return profile


def _declared(root: Root) -> str | None:
    if not root.exists(DECLARED):
        return None
    text = decoded(root.read_bytes(DECLARED, LIMIT))
    return DeclaredProfile.parse(text).name(root.shown(DECLARED))
