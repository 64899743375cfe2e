"""A plan in a file (``secboot/saved-plan/1``): a promise of what an apply will do, never an order.

The file contains the plan (all keys of ``secboot/plan/2``) and the texts of the profile that it was
made from. `secboot apply FILE` makes the plan again, from the machine as it is then, and follows
the new plan if it is the same as that in the file. So nothing in the file is executed, written, or
used as a path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from secboot import __version__
from secboot.codec import decode, fields, parse_document
from secboot.errors import Location, ParseError, RefusedError
from secboot.named_tuple import NamedTuple
from secboot.profile.profile import ProfileText
from secboot.report.made import Made
from secboot.report.plan import SCHEMA as PLAN_SCHEMA
from secboot.report.plan import plan_document
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secboot.plan.plan import Plan
    from secboot.profile.profile import Profile

SCHEMA = "secboot/saved-plan/1"
_OF_0_1_0 = "secboot/plan/1"
LIMIT = 256 * 2**20
"""Bytes of a file; a plan for ten thousand boot entries has some ten million."""
_SHOWN = 3
"""How many differences a refusal lists."""
_SHORT = 60
"""How many characters of a value it shows."""
_MISSING = object()


class MadeFrom(NamedTuple):
    """What a plan was made from, in addition to the machine.

    `secboot` is the version that made it, `reference` the profile as the user named it, `profile`
    its texts (`Profile.sources`).
    """

    secboot: str
    reference: str
    profile: tuple[ProfileText, ...]

    def flaw(self) -> str:
        """Return what is wrong with it, in a file that secboot did not write."""
        return "" if self.profile else "does not contain a profile"


class SavedPlan(NamedTuple):
    """The content of the file; `plan` has the keys of the plan's document, which are only compared."""

    made_from: MadeFrom
    plan: Mapping[str, object]

    def require_same(self, plan: Plan, again: str) -> None:
        """Raise RefusedError, with the fields that differ, unless `plan` is the same.

        `again` is the command that saves a new plan.
        """
        now = _keys(plan_document(plan))
        if changed := _changed_files(self.plan, now):
            raise RefusedError(f"changed since the plan was made: {changed}", hint=_hint(again))
        found = tuple(_differences(self.plan, now, ""))
        if not found:
            return
        more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        shown = "".join(f"\n  {each}" for each in found[:_SHOWN])
        raise RefusedError(
            f"the plan would be different now:{shown}{more}",
            hint=_hint(again, self.made_from.secboot),
        )

    def require_same_profile(self, profile: Profile, again: str) -> None:
        """Raise RefusedError if `profile` differs from the texts that the plan was made from."""
        texts = self.made_from.profile
        if profile.sources == texts:
            return
        changed = [text.path for text in profile.sources if text not in texts]
        raise RefusedError(
            f"changed since the plan was made: {_list(changed or [profile.path])}",
            hint=_hint(again),
        )


def saved_plan_document(reference: str, profile: Profile, plan: Plan) -> dict[str, object]:
    """Return the content of a file to save now; `reference` is the profile as the user named it."""
    source = MadeFrom(__version__, reference, profile.sources)
    return {"schema": SCHEMA, "made_from": fields(source), **_keys(plan_document(plan))}


def read_saved_plan(text: bytes, path: str) -> SavedPlan:
    """Return the content of the file `path`. ParseError says what is wrong with it."""
    try:
        found = parse_document(text, path, SCHEMA, PLAN_SCHEMA, _OF_0_1_0)
        if found["schema"] == SCHEMA:
            return SavedPlan(decode(_WithSource, found, path).made_from, _keys(found))
    except ParseError as error:
        what = f"not a saved plan, or a damaged one: {error.message}"
        raise ParseError(what, location=error.location, hint=_AGAIN) from None
    raise ParseError(
        "this plan cannot be applied because it does not contain its profile: it was printed by"
        " `--output json`, or saved by secboot 0.1.0",
        location=Location(path),
        hint=_AGAIN,
    )


class _WithSource(NamedTuple):
    """The keys that are read from the file; all others but `made` are compared."""

    made_from: MadeFrom
    made: Made | None = None


_OF_THE_FILE = frozenset({"schema", "made", "made_from"})


def _keys(document: Mapping[str, object]) -> dict[str, object]:
    """Return the keys that a plan and a saved plan have in common."""
    return {key: value for key, value in document.items() if key not in _OF_THE_FILE}


_AGAIN = "make it again with: secboot plan PROFILE --out FILE"


def _hint(again: str, version: str = __version__) -> str:
    other = "" if version == __version__ else f"it was made by secboot {version}\n"
    return f"{other}make a new plan with the options of this apply:\n  {visible(again)}"


def _changed_files(saved: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Name the boot files that differ from those that the plan was made from; "" for none.

    Added and removed files differ, too.
    """
    before, after = _inputs(saved), _inputs(now)
    differing = sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
    return _list(differing)


def _inputs(plan: Mapping[str, object]) -> dict[str, object]:
    inputs = plan.get("inputs")
    return {
        each["path"]: each.get("digest")
        for each in (inputs if isinstance(inputs, list) else ())
        if isinstance(each, dict) and isinstance(each.get("path"), str)
    }


def _list(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(map(visible, paths[:_SHOWN])) + more


def _differences(saved: object, now: object, path: str) -> Iterator[str]:
    """Yield the places in which two JSON values differ, with both values, shortened."""
    if isinstance(saved, dict) and isinstance(now, dict):
        for key in (*now, *(each for each in saved if each not in now)):
            step = f"{path}.{_shortened(key)}" if path else _shortened(key)
            yield from _differences(saved.get(key, _MISSING), now.get(key, _MISSING), step)
    elif isinstance(saved, list) and isinstance(now, list):
        for number in range(max(len(saved), len(now))):
            one, other = (each[number] if number < len(each) else _MISSING for each in (saved, now))
            yield from _differences(one, other, f"{path}[{number}]")
    elif type(saved) is not type(now) or saved != now:
        yield f"{path}: {_value(saved)} in the file, {_value(now)} now"


def _value(value: object) -> str:
    if value is _MISSING:
        return "nothing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f'"{_shortened(value)}"'
    return _shortened(json.dumps(value))


def _shortened(text: str) -> str:
    return visible(text if len(text) <= _SHORT else f"{text[:_SHORT]}...")
