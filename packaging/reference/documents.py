"""What the JSON documents are written from; `reference.schemas` makes their schemas of it.

Shapes that no type of secboot has by itself are written here. An object is a dictionary: a key that
ends in "?" may be missing, "*" allows other keys, and "" names a type whose fields it has, except
those that are None here. ``[X]`` is a list of X, ``(X, None)`` an X or null, and ``(X, "words")`` an X
with a description. Other descriptions come from `reference.descriptions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from secboot.apply.change import Meanwhile
from secboot.apply.next_default import NextDefault
from secboot.apply.rollback_plan import RollbackPlan
from secboot.checkpoint.record import Action, Actor, Trial
from secboot.checkpoint.rollback_report import BootRecordOutcome
from secboot.checkpoint.settings import Setting
from secboot.errors import Location, MachineState
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
_WORDS = tuple[str, ...]
_ZIPL = {
    "state": (
        Literal["done", "pending", "not-needed"],
        "Whether zipl has run, must still be run, or need not run.",
    ),
    "argv?": (_WORDS, "The command that ran."),
    "status?": (int, "Its exit status."),
    "seconds?": (float, "How long it took."),
    "before?": ([_WORDS], "Commands of the distribution that ran before the one in `argv`."),
}
_RECOVERED = {
    "checkpoint": (str, "Identifier of the checkpoint of the interrupted change."),
    "state": (str, "State of that change now."),
    "boot_record": (
        BootRecordOutcome,
        """`untouched`: zipl had not run. `written`: zipl has run on the old files. `pending`: zipl \
must still be run. `kept`: zipl refuses the old files, as before the change.""",
    ),
}
_PROBLEM = {
    "": Finding,
    "zipl_line": (int | None, "The line that zipl itself names; 0 for a BLS entry."),
    "repair": (str | None, "What `check --fix` does about it; null if a repair would be a guess."),
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
    "changes": (bool, "Whether there is a file to write or an interrupted change to close."),
    "files": _PLAN["files"],
    "taken_along": (
        _PLAN["files"],
        "Boot entries that were added since and have inherited the change; they are changed back.",
    ),
}
_RECORD = {
    "path": str,
    "state": (
        RecordState,
        """`missing`: no bootmap was found. `damaged`: zipl would not write such a file. `unknown`: \
it cannot be read, or a newer zipl wrote it.""",
    ),
    "unreadable": (str | None, "Why its content is unknown; null if it is known."),
    "stale": (str | None, "Why the next IPL does not use the files as they are; null if it does."),
    "differences": (_WORDS, "How it differs from what zipl would write now."),
    "younger_files": (_WORDS, "Files that are newer than the boot record."),
    "from_options": (
        bool,
        "Whether it was made from options of zipl, as image builders do: one program, no menu.",
    ),
    "programs": (
        (
            [
                {
                    "numbers": ([int], "Places in the program table; 0 is the default."),
                    "default": (bool, "Whether it starts when nobody chooses."),
                    "parameters": (str | None, "Parameter line; null if it cannot be read."),
                    "image_size": (
                        int | None,
                        "Size of the kernel image in bytes; null if unknown.",
                    ),
                    "ramdisk_size": (int | None, "Size of the ramdisk in bytes; null without one."),
                    "kdump": bool,
                }
            ],
            None,
        ),
        "Programs in the boot record; null if its content is unknown.",
    ),
    "environment": (
        Mapping[str, str] | None,
        "The zIPL environment; a name that begins with a digit belongs to that site. null if unknown.",
    ),
}
_REBOOT = {"": Reboot, "source": (IplSource, "The re-IPL settings.")}
_COUNTS = {
    Standing.MISSING.value: (int, "A stage is missing, or nothing could reach one."),
    Standing.UNREADABLE.value: (int, "Its document cannot be read."),
    Standing.WARNING.value: (int, "A stage is unknown, or there is a warning."),
    Standing.MET.value: (int, "Every stage that applies is met."),
}
_REQUIREMENT = {
    "name": (str, "Name of the parameter."),
    "wanted": (str, "What is required, in words."),
}
_CHECKPOINT = {
    "id": (str, "Identifier, counted from 1."),
    "state": (str, "State of the change, for example `done` or `rolled back`."),
    "undone_by": (str | None, "The rollback that undid it; null if it was not undone."),
    "failure": (str | None, "Why the change failed and was rolled back; null if it did not fail."),
    "rollback_failure": (str | None, "Why rolling back failed; null if it did not."),
    "action": (Action, "Which command made it."),
    "started": (str, "When it was made (RFC 3339, in UTC)."),
    "command": (_WORDS, "Command line of secboot."),
    "actor": (Actor, "Who ran it."),
    "secboot": (str, "Version of secboot."),
    "profile": str | None,
    "profile_digest": (str | None, "Digest of the profile; null if it had none."),
    "zipl": (str | None, "Release of the zipl that was to run; null if none."),
    "undoes": (str | None, "The checkpoint that it undoes; null if none."),
    "confirms": (str | None, "The checkpoint whose trial it made permanent; null if none."),
    "trial": ((Trial, None), "What it tries for one IPL; null if nothing."),
    "settings": ([Setting], "Settings of the running system that it wrote."),
    "path": (str, "Directory of the checkpoint."),
    "files": (
        [
            {
                "path": str,
                "real_path": str,
                "digest_before": str | None,
                "digest_after": str | None,
            }
        ],
        "Files that it wrote.",
    ),
    "journal": (
        [
            {
                "state": (str, "State that was reached."),
                "at": (str, "When (RFC 3339, in UTC)."),
                "*": object,
            }
        ],
        "Steps of the change, in their order.",
    ),
}
_CHOICES = [
    {
        "title": (str, "Name of what starts; empty if unknown."),
        "loadparm": (str | None, "LOADPARM that starts it; null without a menu."),
        "default": (bool, "Whether it starts when nobody chooses."),
        "parameters": (str | None, "Line that the kernel starts with; null if unknown."),
        "location": (Location, "Where that line is."),
        "entry": ((Location, None), "The boot entry that it was made from; null if none is known."),
        "kernel": (str | None, "Path of the kernel image; null if unknown."),
        "added": (str, "Words of the line that the boot entry does not have."),
        "secure": (bool | None, "Whether it starts in Secure Execution; null if unknown."),
        "orphaned": (bool, "Whether no boot entry has its kernel and its line."),
        "unsure": (str | None, "Why something here is uncertain; null if nothing is."),
    }
]
_RUNNING = {
    "": RunningSystem,
    "hardware": None,
    "messages": KernelMessages,
    "origin": (str, "Where the line of the running kernel comes from, in words."),
    "ibm_z": (bool, "Whether this is an IBM Z or LinuxONE machine."),
    "machine_type": (str | None, "Machine type, four characters; null if unknown."),
    "lpar_name": (str | None, "Name of the LPAR; null if unknown."),
    "hypervisors": (_WORDS, "Names of the hypervisors, from the innermost outwards."),
    "runs_in": (Level, "What runs the system."),
    "facilities": (
        tuple[int, ...] | None,
        "Facilities of the machine; null if the kernel does not list them.",
    ),
    "ultravisor": {
        "": Ultravisor,
        "note": (str, "What IBM says of the two: they are indications, but do not prove it."),
    },
}

_DONE = {
    "changed": bool,
    "checkpoint": str | None,
    "zipl": _ZIPL,
    "reboot_required": (
        bool,
        "Whether the boot record was written, which takes effect at the next IPL.",
    ),
    "meanwhile": Meanwhile,
    "recovered": [_RECOVERED],
}
_APPLY = {**_DONE, "plan": {"schema": Literal["secboot/plan/2"], **_PLAN}}
DOCUMENTS: dict[str, tuple[str, Shape]] = {
    "apply/2": ("What an apply did", _APPLY),
    "check/2": (
        "zipl's verdict on a machine's boot files",
        {
            "root": str,
            "zipl_version": str,
            "zipl_conf": str,
            "accepted": bool,
            "errors": ([_PROBLEM], "Problems for which zipl refuses the configuration."),
            "warnings": ([_PROBLEM], "What zipl accepts and will not work as meant."),
        },
    ),
    "check-domain/1": (
        "Whether a guest's libvirt domain is ready for IBM Secure Execution",
        {
            "file": (str, "The file as given; `<stdin>` for standard input."),
            "domain": (str, "Name of the guest."),
            "launch_security": (
                str | None,
                "Type of launchSecurity in the domain; null if it has none.",
            ),
            "fit": (bool | None, "Whether it is ready; null if unknown, and a warning says why."),
            "findings": [Finding],
        },
    ),
    "failure/1": (
        "What went wrong; printed instead of the requested document",
        {
            "exit_code": (int, "Exit code of the command."),
            "meaning": (str, "What that code means."),
            "state": (
                MachineState | None,
                "State of the machine after the failure; null for a command that changes nothing.",
            ),
            "problems": ([Finding], "Every problem of a profile, otherwise one."),
        },
    ),
    "explain/1": (
        "What findings, checks and exit codes mean",
        {
            "explanations": ([{"": Explanation}], "One for each code, in the order requested."),
        },
    ),
    "fleet/2": (
        "The stages of many machines, problems first",
        {
            "stage": (Stage, "Last stage that counts for a machine's standing."),
            "counts": (_COUNTS, "Number of machines by standing."),
            "machines": ([ReportedMachine], "One for each document, problems first."),
            "note": str,
        },
    ),
    "history/2": (
        "What was changed and rolled back",
        {
            "checkpoints": ([_CHECKPOINT], "Checkpoints, the oldest first."),
            "limit": (
                int | None,
                "How many changes that stand are kept; null if the limit cannot be read.",
            ),
            "trial": (
                [Finding],
                "How far a trial has progressed that is neither confirmed nor dropped.",
            ),
            "warnings": ([Finding], "Checkpoints that cannot be read, and similar."),
        },
    ),
    "init/1": ("The first boot configuration of a system (`init`)", _APPLY),
    "plan/2": ("A plan: what would change in a machine's boot files", _PLAN),
    "profile/1": (
        "A profile with everything that it extends",
        {
            "name": (str, "Name of the profile."),
            "role": (str | None, "`host` or `guest`; null if it has none."),
            "description": (str, "Description of the profile."),
            "memory": (int | None, "Memory of the guest in bytes; null if not set."),
            "path": (str, "Path of its file."),
            "chain": (_WORDS, "Paths of the profile and of those that it extends."),
            "digest": (str, "Digest of its text."),
            "entries": (str, "Which boot entries it selects, in words."),
            "image": (
                (ImagePaths, None),
                "The Secure Execution image that it names; null if none.",
            ),
            "requirements": (
                [
                    {
                        **_REQUIREMENT,
                        "location": (Location, "Where the profile requires it."),
                    }
                ],
                "What it requires of each parameter line.",
            ),
            "warnings": [Finding],
        },
    ),
    "profile-checks/1": (
        "Whether profiles can be used",
        {
            "valid": (bool, "Whether all of them can be used."),
            "profiles": ([CheckedProfile], "The profiles, in the order given."),
        },
    ),
    "profiles/2": (
        "The profiles that can be used by name",
        {"profiles": ([ListedProfile], "Profiles in the order of the search path.")},
    ),
    "repair/1": (
        "Repairs of boot files (`check --fix`)",
        {
            "dry_run": (bool, "Whether nothing was to be written."),
            **_DONE,
            "plan": ({"": RepairPlan, "files": _FILES}, "What is repaired, and what is left."),
        },
    ),
    "rollback/2": (
        "What a rollback did",
        {
            "undone": (
                str | None,
                "Identifier of the checkpoint that was undone; null if none was.",
            ),
            "files": (_WORDS, "Paths of the files that were restored."),
            "taken_along": (
                _WORDS,
                "Boot entries that were added since, had inherited the change and were changed back.",
            ),
            "left_new": (_WORDS, "The same, left unchanged (--leave-new)."),
            "gone": (_WORDS, "Files that were removed since and were not restored."),
            "left": (_WORDS, "Files that were edited since and were left unchanged."),
            "checkpoint": str | None,
            "zipl": _ZIPL,
            "next_default": (NextDefault, None),
            "settings": (_WORDS, "Paths of re-IPL settings that were restored."),
            "trial": (
                str | None,
                "Boot entry of the trial that was dropped; null if there was none.",
            ),
            "confirmed": (
                str | None,
                "Checkpoint whose trial had been made permanent; null if none.",
            ),
            "meanwhile": Meanwhile,
            "recovered": [_RECOVERED],
            "plan": (
                ({"schema": Literal["secboot/rollback-plan/1"], **_ROLLBACK_PLAN}, None),
                "The plan that was followed; null if there was none.",
            ),
        },
    ),
    "rollback-plan/1": ("What a rollback would do", _ROLLBACK_PLAN),
    "show/2": (
        "Every boot entry of a machine",
        {
            "root": str,
            "layout": str,
            "layout_seen": (_WORDS, "Files and names from which the layout was detected."),
            "zipl_version": str,
            "zipl_version_assumed": (
                bool,
                "Whether that release is assumed, since zipl was not found.",
            ),
            "zipl_conf": str,
            "bls_order": (
                BlsOrder,
                "Order of BLS entries: `zipl` as upstream, `rpm` as Red Hat and Fedora.",
            ),
            "secure": (
                [
                    {
                        "section": (str, "Section of zipl.conf."),
                        "value": (str, "Value as written."),
                    }
                ],
                "Where zipl.conf sets secure=, which is about Secure Boot and not Secure Execution.",
            ),
            "accepted": bool,
            "unfinished_change": ((Finding, None), "An interrupted change; null if there is none."),
            "trial": (
                (TrialStanding, None),
                "A change that is tried for one IPL; null if there is none.",
            ),
            "secure_execution": (
                [Finding],
                "What takes the system out of Secure Execution or keeps it on an old kernel.",
            ),
            "boot_record": _RECORD,
            "choices": (_CHOICES, "What the next IPL can start."),
            "reboot": (
                (_REBOOT, None),
                "What a reboot does; null for a tree that is not the running system.",
            ),
            "entries": [
                {
                    "name": str,
                    "kind": (EntryKind, "What the entry is for."),
                    "origin": (Origin, "Where the entry is defined."),
                    "location": (Location, "Where the entry begins."),
                    "menu_position": int | None,
                    "default": bool,
                    "rescue": bool,
                    "optional": (
                        bool,
                        "Whether zipl skips it if its files are missing (`optional=`).",
                    ),
                    "kdump": bool,
                    "secure_image": (
                        (SecureImage, None),
                        "Its Secure Execution image; null if it has none.",
                    ),
                    "image": str | None,
                    "image_link": (
                        (Link, None),
                        "Where the link `image` leads; null if it is not a link.",
                    ),
                    "ramdisk": str | None,
                    "ramdisk_link": ((Link, None), "The same for `ramdisk`."),
                    "parmfile": str | None,
                    "target": (str | None, "Directory for the boot record; null if not set here."),
                    "parameters": str | None,
                    "parameters_limit": (
                        int | None,
                        "Bytes that zipl accepts; the last one is lost at IPL. null if unknown.",
                    ),
                }
            ],
        },
    ),
    "saved-plan/1": (
        "A plan that `plan --out` saved; `apply FILE` follows it if nothing has changed since",
        {
            **_PLAN,
            "made_from": (
                {"": MadeFrom, "profile": [ProfileText]},
                "The profile. Everything else is only compared with the plan that `apply` makes.",
            ),
        },
    ),
    "status/2": (
        "How far a profile has progressed, stage by stage",
        {
            "root": str,
            "layout": str,
            "profile": (
                (ProfileReference, None),
                "The profile; null if none was given or is active.",
            ),
            "requirements": (
                [
                    {
                        **_REQUIREMENT,
                        "stages": (
                            {stage.value: Result for stage in Stage},
                            "Its result for each stage.",
                        ),
                    }
                ],
                "What the profile requires, and how far each requirement has progressed.",
            ),
            "entries": ([EntryResults], "Boot entries, in zipl's order."),
            "boot_record": _RECORD,
            "choices": (_CHOICES, "What the next IPL can start."),
            "new_kernel": (NewKernel, "What future kernels get."),
            "running": (
                (_RUNNING, None),
                "The running system; null for a tree that is not the running system.",
            ),
            "reboot": ((_REBOOT, None), "What a reboot does; null if unknown."),
            "trial": (
                (TrialStanding, None),
                "A change that is tried for one IPL; null if there is none.",
            ),
            "notices": ([Finding], "What else is wrong or worth knowing."),
        },
    ),
    "verify/2": (
        "The stages of a profile as checks",
        {
            "root": str,
            "profile": str | None,
            "stage": Stage,
            "outcome": Outcome,
            "checks": ([Check], "One for each stage and requirement, and for the machine."),
            "note": str,
        },
    ),
}
