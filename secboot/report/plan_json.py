"""A plan as JSON: for other programs, and for ``apply FILE`` (schema ``secboot/plan/1``).

The document holds all that the text has, and the new content of each file, so that a saved plan
can be applied later on the machine that it was made for.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from secboot.errors import Location, ParseError
from secboot.finding import Finding, Severity
from secboot.lines.changes import (
    Command,
    ParameterAction,
    ParameterChange,
    Step,
    StorePlan,
    StoreStatus,
)
from secboot.plan.plan import (
    EntryPlan,
    EntryStatus,
    FileChange,
    InputFile,
    Plan,
    ProfileReference,
)
from secboot.report.diff import unified_diff
from secboot.report.location import location_document

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "secboot/plan/1"

Document = dict[str, Any]


def plan_document(plan: Plan) -> Document:
    """Return the plan as a JSON document; bytes are written in base64."""
    return {
        "schema": SCHEMA,
        "profile": {
            "name": plan.profile.name,
            "path": plan.profile.path,
            "digest": plan.profile.digest,
            "role": plan.profile.role,
            "description": plan.profile.description,
        },
        "root": plan.root,
        "layout": plan.layout,
        "zipl_version": plan.zipl_version,
        "changes": not plan.is_empty,
        "refusal": plan.refusal,
        "entries": [_entry_document(entry) for entry in plan.entries],
        "stores": [_store_document(store) for store in plan.stores],
        "steps": [_step_document(step) for step in plan.steps],
        "parmfile": plan.parmfile,
        "files": [_file_document(change) for change in plan.files],
        "commands": [{"argv": list(c.argv), "reason": c.reason} for c in plan.commands],
        "warnings": [
            {
                "code": w.code,
                "severity": w.severity.value,
                "message": w.message,
                "location": location_document(w.location),
                "hint": w.hint,
            }
            for w in plan.warnings
        ],
        "inputs": [
            {"path": i.path, "real_path": i.real_path, "digest": i.digest} for i in plan.inputs
        ],
    }


def plan_from_document(document: Mapping[str, Any], path: str) -> Plan:
    """Return the plan that a document holds; ParseError names `path` if it holds none."""
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ParseError(
            f"not a plan of this version of secboot (schema {SCHEMA})",
            location=Location(path),
            hint="make it with: secboot plan PROFILE --out FILE",
        )
    try:
        plan = _plan(document)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ParseError(
            f"the plan is damaged ({type(error).__name__}: {error})",
            location=Location(path),
            hint="make it anew with: secboot plan PROFILE --out FILE",
        ) from error
    _check_digests(plan, document, path)
    return plan


def _entry_document(entry: EntryPlan) -> Document:
    return {
        "name": entry.name,
        "location": location_document(entry.location),
        "kind": entry.kind,
        "status": entry.status.value,
        "note": entry.note,
        "default": entry.is_default,
        "rescue": entry.is_rescue,
        "line_before": entry.line_before,
        "line_after": entry.line_after,
        "parameters": [_parameter_document(change) for change in entry.parameters],
    }


def _store_document(store: StorePlan) -> Document:
    return {
        "name": store.name,
        "location": location_document(store.location),
        "status": store.status.value,
        "note": store.note,
        "met": store.met,
        "line_before": store.line_before,
        "line_after": store.line_after,
        "parameters": [_parameter_document(change) for change in store.parameters],
    }


def _step_document(step: Step) -> Document:
    return {"title": step.title, "lines": list(step.lines), "argv": list(step.argv)}


def _parameter_document(change: ParameterChange) -> Document:
    return {
        "name": change.name,
        "action": change.action.value,
        "before": list(change.before),
        "after": list(change.after),
        "wanted": change.wanted,
        "reason": change.reason,
    }


def _file_document(change: FileChange) -> Document:
    return {
        "path": change.path,
        "real_path": change.real_path,
        "digest_before": change.digest_before,
        "digest_after": change.digest_after,
        "before": base64.b64encode(change.before).decode(),
        "after": base64.b64encode(change.after).decode(),
        "diff": list(unified_diff(change)),
    }


def _plan(document: Mapping[str, Any]) -> Plan:
    return Plan(
        profile=ProfileReference(**document["profile"]),
        root=document["root"],
        layout=document["layout"],
        zipl_version=document["zipl_version"],
        entries=tuple(_entry(entry) for entry in document["entries"]),
        files=tuple(
            FileChange(
                item["path"],
                item["real_path"],
                base64.b64decode(item["before"], validate=True),
                base64.b64decode(item["after"], validate=True),
            )
            for item in document["files"]
        ),
        commands=tuple(Command(tuple(c["argv"]), c["reason"]) for c in document["commands"]),
        warnings=tuple(
            Finding(
                w["code"],
                Severity(w.get("severity", "warning")),
                w["message"],
                _location(w["location"]),
                w.get("hint"),
            )
            for w in document["warnings"]
        ),
        inputs=tuple(InputFile(**item) for item in document["inputs"]),
        stores=tuple(_store(store) for store in document.get("stores", ())),
        steps=tuple(
            Step(s["title"], tuple(s["lines"]), tuple(s["argv"])) for s in document.get("steps", ())
        ),
        refusal=document.get("refusal"),
        parmfile=document.get("parmfile"),
    )


def _entry(item: Mapping[str, Any]) -> EntryPlan:
    location = _location(item["location"])
    if location is None:
        raise ValueError("a boot entry without a place")
    return EntryPlan(
        name=item["name"],
        location=location,
        kind=item["kind"],
        status=EntryStatus(item["status"]),
        note=item["note"],
        is_default=item["default"],
        is_rescue=item["rescue"],
        parameters=_parameters(item),
        line_before=item["line_before"],
        line_after=item["line_after"],
    )


def _store(item: Mapping[str, Any]) -> StorePlan:
    return StorePlan(
        name=item["name"],
        location=_location(item["location"]),
        status=StoreStatus(item["status"]),
        note=item["note"],
        met=item["met"],
        parameters=_parameters(item),
        line_before=item["line_before"],
        line_after=item["line_after"],
    )


def _parameters(item: Mapping[str, Any]) -> tuple[ParameterChange, ...]:
    return tuple(
        ParameterChange(
            name=change["name"],
            action=ParameterAction(change["action"]),
            before=tuple(change["before"]),
            after=tuple(change["after"]),
            wanted=change["wanted"],
            reason=change["reason"],
        )
        for change in item["parameters"]
    )


def _location(item: Mapping[str, Any] | None) -> Location | None:
    return None if item is None else Location(item["path"], item["line"], item["column"])


def _check_digests(plan: Plan, document: Mapping[str, Any], path: str) -> None:
    for change, item in zip(plan.files, document["files"], strict=True):
        stated = (item.get("digest_before"), item.get("digest_after"))
        if stated != (change.digest_before, change.digest_after):
            raise ParseError(
                f"the plan is damaged: the content for {change.path} does not have its digest",
                location=Location(path),
                hint="make it anew with: secboot plan PROFILE --out FILE",
            )
