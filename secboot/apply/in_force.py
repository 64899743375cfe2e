"""Which profile is in force: the one that new boot entries have to be kept true to.

It is what /etc/secboot/profile names; without that file, the newest apply that was not rolled
back. The former is an administrator's word and is taken as it is. The latter is only taken while
the profile still has the text that was applied: nothing else was ever agreed to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.checkpoint.rollback import latest_to_roll_back
from secboot.checkpoint.store import CheckpointStore
from secboot.errors import Location, RefusedError, UsageError
from secboot.machine.profile_files import read_profile

if TYPE_CHECKING:
    from secboot.checkpoint.state_directory import StateDirectory
    from secboot.profile.profile import Profile
    from secboot.system.root import Root

DECLARED = "/etc/secboot/profile"
"""Holds one name of a profile; blank lines and lines that begin with ``#`` do not count."""
_LIMIT = 2**16


def profile_in_force(root: Root, state: StateDirectory) -> Profile | None:
    """Return the profile in force; None when nothing was declared or applied.

    Raises RefusedError when it can't be told any more, UsageError for a file that does not name
    one profile, and what reading the profile raises.
    """
    declared = _declared(root)
    if declared is not None:
        return read_profile(declared, root)
    store = CheckpointStore.existing(state)
    if store is None:
        return None
    with store:
        applied = latest_to_roll_back(store)
    if applied is None or applied.record.audit.profile is None:
        return None
    name, digest = applied.record.audit.profile, applied.record.audit.profile_digest
    try:
        profile = read_profile(name, root)
    except UsageError as error:
        raise RefusedError(
            f"the profile '{name}', applied as checkpoint {applied.id}, is not found by its name",
            hint=f"put it into /etc/secboot/profiles, or name another one in {DECLARED}",
        ) from error
    if profile.digest != digest:
        raise RefusedError(
            f"the profile '{name}' was changed since it was applied as checkpoint {applied.id}",
            hint=f"look at it with `secboot plan {name}`, then apply it",
        )
    return profile


def _declared(root: Root) -> str | None:
    if not root.exists(DECLARED):
        return None
    text = root.read_bytes(DECLARED, _LIMIT).decode("utf-8", "surrogateescape")
    lines = [line.strip() for line in text.split("\n")]
    names = [line for line in lines if line and not line.startswith("#")]
    if len(names) != 1 or "/" in names[0]:
        raise UsageError(
            "this file has to hold one name of a profile",
            location=Location(root.shown(DECLARED)),
            hint="`secboot profile list` shows the names",
        )
    return names[0]
