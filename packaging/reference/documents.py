"""The schemas of the JSON documents, made from the types that the documents are written from.

What no type of secboot has by itself is described here: an object is a dictionary, whose keys may
be missing if they end in "?", and may be any others as well if there is a "*". It has the fields of
the type that stands at "", but for those that are None. ``[X]`` is a list of
X, ``(X, None)`` an X or null, and ``(X, "words")`` an X of which is said what it means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from secboot.apply.change import Meanwhile
from secboot.apply.next_default import NextDefault
from secboot.apply.rollback_plan import RollbackPlan
from secboot.checkpoint.record import Action, Actor, Trial
from secboot.checkpoint.rollback import BootRecordOutcome
from secboot.checkpoint.settings import Setting
from secboot.errors import Location
from secboot.finding import Finding
from secboot.formats.kernel_image import SecureImage
from secboot.ipl.boot_record import RecordState
from secboot.ipl.reboot import Reboot
from secboot.layout.layout import NewKernel
from secboot.machine.kernel_files import Link
from secboot.plan.plan import Plan, ProfileReference
from secboot.profile.profile import ImagePaths, ProfileText
from secboot.repair.repair_plan import RepairPlan
from secboot.report.explain import Explanation
from secboot.report.made import Made
from secboot.report.profile import CheckedProfile, ListedProfile
from secboot.report.reported import ReportedMachine, Standing
from secboot.report.saved_plan import MadeFrom
from secboot.running.firmware import IplSource, Ultravisor
from secboot.running.kernel_log import KernelMessages
from secboot.running.system import Level, RunningSystem
from secboot.status.checks import Check, Outcome
from secboot.status.stages import EntryResults, Result, Stage
from secboot.status.trial import TrialStanding
from secboot.system.files import FileChange
from secboot.zipl.entry import Origin
from secboot.zipl.scan import EntryKind
from secboot.zipl.version import BlsOrder

Shape = dict[str, Any]
_PLAIN: Mapping[object, Shape] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    object: {},
}
_MOMENT = (str, "RFC 3339, in UTC")
_DIGEST = {"pattern": "^[0-9a-f]{64}$", "description": "SHA-256, hexadecimal"}
_ABOUT = {
    "Location": "A place in a file, counted from 1.",
    "Finding": "Something that is wrong or worth knowing; its code is the stable name of the rule.",
    "Finding.hint": "What to do about it, as a command that can be typed as shown where there is one.",
    "SecureImage": "An IBM Secure Execution image, as far as it can be read.",
    "SecureImage.encrypted": "null where that is not known; `unsure` says why.",
    "SecureImage.parameters": "The line inside an image that is not encrypted; null: not known.",
    "SecureImage.release": "Of the kernel inside an image that is not encrypted; null: not known.",
    "ImagePaths": "The files of a Secure Execution image, by their paths in the root.",
    "ImagePaths.kernel": "null where it is that of a boot entry.",
    "ImagePaths.location": "Where the profile names the parmfile.",
    "Link": "A symbolic link that a boot entry names: its text, and where it leads inside the tree.",
    "Link.target": "null where it leads out of the tree or nowhere; `reason` says what is known.",
    "Plan.profile": "null in the plan of a first configuration (init).",
    "Plan.root": "The root that the plan was made for.",
    "Plan.refusal": "Why secboot can't make this machine what the profile asks; `steps` say how.",
    "Plan.stores": "Parameters that are in no boot entry, such as those of kernels installed later.",
    "Plan.steps": "What somebody else has to do: lines to be run or written.",
    "Plan.parmfile": "What the parmfile of a rebuilt Secure Execution image has to hold.",
    "Plan.image_due": "Why the image that the profile names has to be built; null where it need not.",
    "Plan.trial": "What is tried for one IPL; null for a change that is to stay.",
    "Plan.confirms": "The trial that this makes permanent; null where there is none.",
    "TrialPlan.setting": "The re-IPL setting that chooses the entry; null for a tree that does not run.",
    "TrialPlan.back": "How to get back without secboot.",
    "TrialPlan.profile": "What is tried, to be applied once it was confirmed.",
    "Confirmation.setting": "The re-IPL setting that chooses the entry; null where none does.",
    "TrialStanding.checkpoint": "null where none can be read.",
    "TrialStanding.number": "That of the entry by the files as they are now.",
    "Trial.boot": "The boot in which it was prepared; empty for a tree that did not run.",
    "Setting.boot": "The boot in which it was written.",
    "Plan.inputs": "The files that the plan was made from.",
    "Step.argv": "The command, where `apply --run-kargs` would run it; else empty.",
    "EntryPlan.line_before": "The parameter line as zipl would install it now.",
    "FileChange.before": "null stands for: no such file",
    "FileChange.after": "null stands for: no such file",
    "FileChange.attributes": "Those of the new file; null stands for those of the old one.",
    "FileChange.real_path": "Where its symbolic links lead, inside the root.",
    "RepairPlan.left": "What takes a decision, and why; then nothing is written.",
    "RepairPlan.refusal": "Why nothing is written; null where the repairs are made.",
    "PlannedRepair.findings": "What it is about, each where it stands in the file before any repair.",
    "RepairedLine.before": "Of a file that zipl refuses, what can be read of it.",
    "StorePlan.met": "Whether the profile will be met there; null where that can't be known.",
    "Made": "When, where and by which secboot the document was made.",
    "Made.host": "The machine on which secboot ran; null where SOURCE_DATE_EPOCH was set.",
    "Made.time": "RFC 3339, in UTC; SOURCE_DATE_EPOCH where that was set.",
    "Meanwhile": "What others did to boot files during the change; it was made around that.",
    "NextDefault": "What the next IPL starts by default, once zipl has run; null where that is not known.",
    "NextDefault.parameters": "The words of its line that the change was about; `without NAME` for none.",
    "NextDefault.inherited": "Those of them that are still as the change left them.",
    "RollbackPlan.undoes": "The change that is rolled back; null where ending an unfinished one is all.",
    "RollbackPlan.unfinished": "A change that was cut short and is ended first: the files are those of it.",
    "RollbackPlan.left_new": "Boot entries that were added since and keep what they inherited (--leave-new).",
    "RollbackPlan.gone": "Files that were removed since, and are not brought back.",
    "RollbackPlan.left": "Files that were changed since, and are left as they are.",
    "RollbackPlan.conflicts": "Files that were changed since, where neither --keep nor --force says what to do.",
    "RollbackPlan.boot_record": "Whether it is written afterwards, has to be by somebody else, or need not.",
    "RollbackPlan.programs": "What writes the boot record here.",
    "RollbackPlan.settings": "Re-IPL settings that are set back, before any file is changed.",
    "RollbackPlan.refusal": "Why the rollback would be refused.",
    "UndoneChange": "A change that is undone.",
    "EntryResults.note": "Why the entry is left out; empty if it is not.",
    "EntryResults.parameters": "The parameter line as zipl would install it.",
    "EntryResults.recorded_parameters": "The line that the boot record holds for it.",
    "EntryResults.configured": "One result for each requirement, in order; none for an entry that is left out.",
    "Reboot.asked": "How the settings choose, in words; empty where they don't.",
    "Reboot.entry": "What is started; null where that is not known.",
    "Reboot.recorded": "Its line without the text of the settings; null where that is not known.",
    "Reboot.line": "The line that its kernel is given; null where that is not known.",
    "Reboot.text": "What the kernel reads of the settings' text: with a leading '=' it replaces the line.",
    "Reboot.why": "Why something is not known.",
    "Result.causes": "Likely causes of what is missing, the likeliest first.",
    "KernelMessages.complete": "Whether the kernel's log still holds its first message.",
    "Check.id": "Stable: STAGE.PARAMETER, or machine.CODE.",
    "Check.subject": "A boot entry's name; empty for the machine.",
    "ReportedMachine.host": "The document's file name without .json, or its path where that is not unique.",
    "ReportedMachine.document": "The schema of its document; null if that can't be read, and a finding says why.",
    "ReportedMachine.stages": "The verdict of each stage; null where the document does not go up to it.",
    "ReportedMachine.findings": "What to look at first, and what to do about it.",
}
"""What a type or a field does not say by its name."""

_WORDS = tuple[str, ...]
_ZIPL = {
    "state": Literal["done", "pending", "not-needed"],
    "argv?": _WORDS,
    "status?": int,
    "seconds?": float,
    "before?": ([_WORDS], "The layout's programs that ran before the one in `argv`."),
}
_RECOVERED = {"checkpoint": str, "state": str, "boot_record": BootRecordOutcome}
_PROBLEM = {
    "": Finding,
    "zipl_line": (int | None, "The line that zipl itself would name; 0 for a BLS entry."),
    "repair": (str | None, "What `check --fix` does about it; null where a repair takes a guess."),
}
_FILES = [
    {
        "": FileChange,
        "digest_before": str | None,
        "digest_after": str | None,
        "diff": _WORDS,
    }
]
_PLAN = {
    "": Plan,
    "changes": (bool, "Whether there is a file to write or a command to run."),
    "files": _FILES,
}
_ROLLBACK_PLAN = {
    "": RollbackPlan,
    "changes": (bool, "Whether there is a file to write or a change to end."),
    "files": _PLAN["files"],
    "taken_along": (
        _PLAN["files"],
        "Boot entries that were added since, and have inherited the change.",
    ),
}
_RECORD = {
    "path": str,
    "state": RecordState,
    "unreadable": (str | None, "Why the content of the boot record is not known."),
    "stale": (str | None, "Why the next IPL does not use what the files say."),
    "differences": _WORDS,
    "younger_files": _WORDS,
    "from_options": (
        bool,
        "Whether it was made from options of zipl, as image builders do: one program, no menu.",
    ),
    "programs": (
        [
            {
                "numbers": ([int], "Places in the table of programs; 0 is the default."),
                "default": bool,
                "parameters": str | None,
                "image_size": int | None,
                "ramdisk_size": int | None,
                "kdump": bool,
            }
        ],
        None,
    ),
    "environment": (
        Mapping[str, str] | None,
        "The zIPL environment; a name that begins with a digit belongs to that site.",
    ),
}
_REBOOT = {"": Reboot, "source": (IplSource, "The re-IPL settings.")}
_CHOICES = [
    {
        "title": (str, "Empty where it is not known."),
        "loadparm": (str | None, "What LOADPARM has to say to start it; null without a menu."),
        "default": bool,
        "parameters": (
            str | None,
            "The line that the kernel is started with; null where that is not known.",
        ),
        "location": (Location, "Where the line is held."),
        "entry": ((Location, None), "The boot entry that it was made from; null for none."),
        "kernel": str | None,
        "added": (str, "Words of the line that the boot entry does not have."),
        "secure": (bool | None, "Whether it starts in Secure Execution; null: not known."),
        "orphaned": (bool, "Whether no boot entry has its kernel and its line."),
        "unsure": (str | None, "Why something of this is not certain."),
    }
]
_RUNNING = {
    "": RunningSystem,
    "hardware": None,
    "messages": KernelMessages,
    "origin": str,
    "ibm_z": bool,
    "machine_type": str | None,
    "lpar_name": str | None,
    "hypervisors": _WORDS,
    "runs_in": Level,
    "facilities": tuple[int, ...] | None,
    "ultravisor": {
        "": Ultravisor,
        "note": (str, "IBM's note: the two are indications, but do not prove it."),
    },
}

_DONE = {
    "changed": bool,
    "checkpoint": str | None,
    "zipl": _ZIPL,
    "reboot_required": (
        bool,
        "Whether the boot record was written, which counts from the next IPL.",
    ),
    "meanwhile": Meanwhile,
    "recovered": [_RECOVERED],
}
_APPLY = {**_DONE, "plan": {"schema": Literal["secboot/plan/1"], **_PLAN}}
DOCUMENTS: dict[str, tuple[str, Shape]] = {
    "apply/1": ("What an apply did", _APPLY),
    "check/1": (
        "zipl's verdict on a machine's boot files",
        {
            "root": str,
            "zipl_version": str,
            "zipl_conf": str,
            "accepted": bool,
            "errors": [_PROBLEM],
            "warnings": [_PROBLEM],
        },
    ),
    "check-domain/1": (
        "Whether a guest's libvirt domain is fit for IBM Secure Execution",
        {
            "file": (str, "The file as named; `<stdin>` for standard input."),
            "domain": (str, "The guest's name."),
            "launch_security": (str | None, "The type that the domain asks for."),
            "fit": (bool | None, "null where a warning says what is not known."),
            "findings": [Finding],
        },
    ),
    "failure/1": (
        "What went wrong, in place of the document that was asked for",
        {
            "exit_code": int,
            "meaning": (str, "In which state the machine is."),
            "problems": ([Finding], "Of a profile all, else one."),
        },
    ),
    "explain/1": (
        "What findings, checks and exit codes mean",
        {
            "explanations": [
                {
                    "": Explanation,
                    "code": (str, "As asked for: an exit code is its number."),
                    "group": (str, "Where it is met."),
                    "summary": (str, "What it means. This and the other texts are Markdown."),
                    "why": (str | None, "Why it matters."),
                    "what_to_do": str | None,
                    "source": (str | None, "Where the rule is from."),
                }
            ],
        },
    ),
    "fleet/2": (
        "The stages of many machines, problems first",
        {
            "stage": (Stage, "Up to which stage a machine's standing counts."),
            "counts": ({each.value: int for each in Standing}, "How many machines stand how."),
            "machines": ([ReportedMachine], "One for each document."),
            "note": (
                str,
                "IBM's note: what the ultravisor's files say are indications, but do not prove it.",
            ),
        },
    ),
    "history/1": (
        "What was applied and rolled back",
        {
            "checkpoints": [
                {
                    "id": str,
                    "state": str,
                    "action": Action,
                    "started": _MOMENT,
                    "command": _WORDS,
                    "actor": Actor,
                    "secboot": str,
                    "profile": str | None,
                    "profile_digest": str | None,
                    "zipl": str | None,
                    "undoes": str | None,
                    "confirms": (str | None, "The checkpoint whose trial was made permanent."),
                    "trial": ((Trial, None), "What was tried for one IPL."),
                    "settings": ([Setting], "Settings of the running system that were written."),
                    "path": str,
                    "files": [
                        {
                            "path": str,
                            "real_path": str,
                            "digest_before": str | None,
                            "digest_after": str | None,
                        }
                    ],
                    "journal": [{"state": str, "at": _MOMENT, "*": object}],
                }
            ],
            "limit": (
                int | None,
                "How many changes that stand are kept; null where a limit is set that can't be read.",
            ),
            "trial": ([Finding], "Where a trial stands that is neither confirmed nor dropped."),
            "warnings": [Finding],
        },
    ),
    "init/1": ("The first configuration that a tree was given", _APPLY),
    "plan/1": ("A plan: what would change in a machine's boot files", _PLAN),
    "profile/1": (
        "A profile with all that it extends",
        {
            "name": str,
            "role": str | None,
            "description": str,
            "memory": (int | None, "Bytes, as the profile says."),
            "path": str,
            "chain": _WORDS,
            "digest": str,
            "entries": str,
            "image": ImagePaths | None,
            "requirements": [{"name": str, "wanted": str, "location": Location}],
            "warnings": [Finding],
        },
    ),
    "profile-checks/1": (
        "Whether profiles can be used",
        {
            "valid": (bool, "Whether all of them can."),
            "profiles": [CheckedProfile],
        },
    ),
    "profiles/2": ("The profiles that can be used by name", {"profiles": [ListedProfile]}),
    "repair/1": (
        "Repairs of boot files (`check --fix`)",
        {
            "dry_run": bool,
            **_DONE,
            "plan": {"": RepairPlan, "files": _FILES},
        },
    ),
    "rollback/1": (
        "What a rollback did",
        {
            "undone": str | None,
            "files": _WORDS,
            "taken_along": (
                _WORDS,
                "Boot entries that were added since, and had inherited the change.",
            ),
            "left_new": (_WORDS, "The same, left as they are (--leave-new)."),
            "gone": (_WORDS, "Files that were removed since, and are not brought back."),
            "left": (_WORDS, "Files that were changed since, and are left as they are."),
            "checkpoint": str | None,
            "zipl": _ZIPL,
            "next_default": NextDefault | None,
            "settings": (_WORDS, "Paths of re-IPL settings that were put back."),
            "trial": (str | None, "The boot entry of the trial that was dropped."),
            "confirmed": (str | None, "The checkpoint whose trial had been made permanent."),
            "meanwhile": Meanwhile,
            "recovered": [_RECOVERED],
            "plan": (
                ({"schema": Literal["secboot/rollback-plan/1"], **_ROLLBACK_PLAN}, None),
                "What was planned and done.",
            ),
        },
    ),
    "rollback-plan/1": ("What a rollback would do", _ROLLBACK_PLAN),
    "show/2": (
        "Every boot entry of a machine",
        {
            "root": str,
            "layout": str,
            "layout_seen": (_WORDS, "The marks that told the layout."),
            "zipl_version": str,
            "zipl_version_assumed": bool,
            "zipl_conf": str,
            "bls_order": (BlsOrder, "Whose zipl sorts the BLS entries."),
            "secure": (
                [{"section": str, "value": str}],
                "Where zipl.conf sets secure=, which is Secure Boot and not Secure Execution.",
            ),
            "accepted": bool,
            "unfinished_change": Finding | None,
            "trial": ((TrialStanding, None), "A change that is tried for one IPL."),
            "secure_execution": (
                [Finding],
                "What takes the system out of Secure Execution, or keeps it on an old kernel.",
            ),
            "boot_record": _RECORD,
            "choices": (_CHOICES, "What the next IPL can start."),
            "reboot": ((_REBOOT, None), "What a reboot does; null for any other tree."),
            "entries": [
                {
                    "name": str,
                    "kind": EntryKind,
                    "origin": Origin,
                    "location": Location,
                    "menu_position": int | None,
                    "default": bool,
                    "rescue": bool,
                    "optional": bool,
                    "kdump": bool,
                    "secure_image": SecureImage | None,
                    "image": str | None,
                    "image_link": Link | None,
                    "ramdisk": str | None,
                    "ramdisk_link": Link | None,
                    "parmfile": str | None,
                    "target": str | None,
                    "parameters": str | None,
                    "parameters_limit": (
                        int | None,
                        "Bytes that zipl accepts; the last one of them is lost at IPL.",
                    ),
                }
            ],
        },
    ),
    "saved-plan/1": (
        "A plan that `plan --out` saved; `apply FILE` follows it while it is still the same",
        {
            **_PLAN,
            "made_from": (
                {
                    "": MadeFrom,
                    "profile": ([ProfileText], "Its own text first, then what it extends."),
                },
                "The profile; everything else is only compared with the plan that is made then.",
            ),
        },
    ),
    "status/2": (
        "How far everything has got, stage by stage",
        {
            "root": str,
            "layout": str,
            "profile": ProfileReference | None,
            "requirements": [
                {"name": str, "wanted": str, "stages": {stage.value: Result for stage in Stage}}
            ],
            "entries": [EntryResults],
            "boot_record": _RECORD,
            "choices": (_CHOICES, "What the next IPL can start."),
            "new_kernel": (NewKernel, "What a kernel gets that is installed tomorrow."),
            "running": ((_RUNNING, None), "null for a tree that is not the running system."),
            "reboot": ((_REBOOT, None), "What a reboot does; null where the system does not tell."),
            "trial": ((TrialStanding, None), "A change that is tried for one IPL."),
            "notices": [Finding],
        },
    ),
    "verify/2": (
        "The stages of a profile as checks",
        {
            "root": str,
            "profile": str | None,
            "stage": Stage,
            "outcome": Outcome,
            "checks": [Check],
            "note": str,
        },
    ),
}


def schema(name: str) -> str:
    """Return the text of a document's schema; `name` is such as ``plan/1``."""
    title, shape = DOCUMENTS[name]
    maker = _Maker()
    made = maker.of({"schema": Literal[f"secboot/{name}"], "made?": Made, **shape})
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:secboot:{name.replace('/', ':')}",
        "title": title,
    }
    return (
        json.dumps({**head, **made, "$defs": dict(sorted(maker.definitions.items()))}, indent=2)
        + "\n"
    )


class _Maker:
    """Makes one schema; what its types are stands once, in `definitions`."""

    def __init__(self) -> None:
        self.definitions: Shape = {}

    def of(self, shape: Any) -> Shape:  # noqa: ANN401 - a type, or what is described above
        """Return the schema of a shape or a type."""
        if isinstance(shape, tuple):
            what, more = shape
            made = self.of(what)
            return {**made, "description": more} if more else _or_null(made)
        if isinstance(shape, list):
            return {"type": "array", "items": self.of(shape[0])}
        if isinstance(shape, dict):
            return self._object(shape)
        return self._of_type(shape)

    def _object(self, shape: Shape) -> Shape:
        fields = dict(shape)
        base = fields.pop("", None)
        if base is not None:
            fields = {k: v for k, v in {**_fields(base), **fields}.items() if v is not None}
        others = fields.pop("*", None)
        properties = {key.removesuffix("?"): _known(key, self.of(fields[key])) for key in fields}
        return {
            "type": "object",
            "properties": properties,
            "required": [key for key in fields if not key.endswith("?")],
            **({} if others else {"additionalProperties": False}),
        }

    def _of_type(self, kind: Any) -> Shape:  # noqa: ANN401 - no type says "an annotation"
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if get_origin(kind) is not None:
            return self._of_form(get_origin(kind), get_args(kind))
        if issubclass(kind, StrEnum):
            return {"enum": [each.value for each in kind]}
        return self._reference(kind)

    def _of_form(self, origin: object, arguments: tuple[Any, ...]) -> Shape:
        if origin in {UnionType, Union}:
            return _or_null(self.of(next(each for each in arguments if each is not NoneType)))
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": [*arguments]}
        if origin is tuple:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is Mapping and issubclass(arguments[0], StrEnum):
            return self._object({each.value: arguments[1] for each in arguments[0]})
        return {"type": "object", "additionalProperties": self.of(arguments[1])}

    def _reference(self, kind: type[Any]) -> Shape:
        if hasattr(kind, "of_document"):
            return self.of(get_type_hints(kind.of_document, localns=globals())["found"])
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        if name not in self.definitions:
            about = {"description": _ABOUT[kind.__name__]} if kind.__name__ in _ABOUT else {}
            self.definitions[name] = {}
            self.definitions[name] = {**about, **self._object({"": kind})}
        return {"$ref": f"#/$defs/{name}"}


def _fields(kind: type[Any]) -> Shape:
    hints = get_type_hints(kind, localns=globals())
    named = ((field, f"{kind.__name__}.{field}") for field in hints)
    return {f: (hints[f], _ABOUT[name]) if name in _ABOUT else hints[f] for f, name in named}


def _known(key: str, made: Shape) -> Shape:
    """Return the schema of a key with what is so for every key of that name."""
    kinds = made.get("type", ())
    if "string" in kinds and "digest" in key:
        return {**made, **_DIGEST}
    return {**made, "minimum": 1} if "integer" in kinds and key in {"line", "column"} else made


def _or_null(made: Shape) -> Shape:
    if isinstance(made.get("type"), str):
        return {**made, "type": [made["type"], "null"]}
    if "enum" in made:
        return {"enum": [*made["enum"], None]}
    return {"anyOf": [made, {"type": "null"}]}
