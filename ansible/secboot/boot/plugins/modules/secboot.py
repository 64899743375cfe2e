#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: 2026 secboot developers
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: secboot
short_description: Apply a secboot profile to the boot configuration of an IBM Z machine
version_added: "0.1.0"
description:
  - Runs C(secboot) on the machine. It sets the kernel parameters that a profile requires in one
    transaction, runs C(zipl), and restores everything if anything fails.
  - A change can also be tried for one IPL, then confirmed or dropped; and it can be rolled back.
  - With O(state=verified), nothing is changed, and the task fails if a stage is missing.
options:
  profile:
    description:
      - Name of the profile, or its path on the machine.
      - Required unless O(state=confirmed) or O(state=rolled_back).
    type: str
  state:
    description:
      - V(applied) applies the profile.
      - V(trial) puts the change into a boot entry of its own, which the next reboot starts.
        Nothing is changed if this profile is already being tried, or if the machine already
        matches it. The task fails if a trial has failed or if another one has not ended.
      - V(confirmed) makes a trial permanent. The task fails unless the machine was booted with the
        parameter line of the trial. Without a trial, nothing is changed; if O(profile) is set, the
        task then fails unless the machine matches the profile.
      - V(rolled_back) undoes the change of O(checkpoint). Without O(checkpoint) it drops the current
        trial, and changes nothing if there is none.
      - V(verified) only checks whether the machine matches the profile.
      - V(trial), V(confirmed) and V(rolled_back) were added in version 0.2.0.
    type: str
    choices: [applied, trial, confirmed, rolled_back, verified]
    default: applied
  checkpoint:
    description:
      - Identifier of the change to undo with O(state=rolled_back), such as RV(checkpoint) of the
        task that made it, or one in RV(secboot.boot.secboot_info#module:checkpoints).
      - Nothing is changed if it has been undone already.
    type: str
    version_added: "0.2.0"
  stage:
    description:
      - Last stage that the machine must have reached; the task fails if it has not.
      - With O(state=applied) it is checked after the change; in check mode only if there is
        nothing to change.
      - With O(state=confirmed) it must be reached before the change, and is V(running), the default,
        or V(effective); the task fails with any other stage, which a trial reaches before it boots.
        Without a trial, O(profile) must have reached it. For a tree that is not the running system, the
        default is then V(inherited).
      - With O(state=verified), the default is V(effective) for the running system and
        V(inherited) for another tree.
      - Ignored with O(state=trial) and O(state=rolled_back).
    type: str
    choices: [configured, inherited, installed, running, effective]
  zipl:
    description:
      - Whether to run C(zipl). By default it runs if O(root=/).
    type: bool
attributes:
  check_mode:
    support: full
    description:
      - Nothing is written, and RV(ignore:changed) is what the change would return.
      - A task with O(state=confirmed) is skipped if there is no trial that could be confirmed now,
        because an earlier task of the play may have to make it.
  diff_mode:
    support: full
    description: Shows each file before and after the change.
  platform:
    support: full
    description: Linux on IBM Z and LinuxONE; trees of such systems elsewhere.
    platforms: linux
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - secboot.boot.program
author:
  - secboot developers (@secboot)
notes:
  - The two files in F(/sys/firmware/uv) on which the stage V(effective) is based are indications,
    not proof. Do not base security decisions on them.
seealso:
  - module: secboot.boot.secboot_info
"""

EXAMPLES = r"""
- name: Apply the guest profile
  secboot.boot.secboot:
    profile: guest
  register: applied

- name: Verify that it is in effect
  secboot.boot.secboot:
    profile: guest
    state: verified
    stage: effective

- name: Undo that change
  secboot.boot.secboot:
    state: rolled_back
    checkpoint: "{{ applied.checkpoint }}"
  when: applied.checkpoint is not none

- name: Try the host profile for one IPL
  secboot.boot.secboot:
    profile: host
    state: trial
  register: tried

- name: Restart the machine
  ansible.builtin.reboot:
  when: tried.reboot_required

- name: Keep the change if the machine runs with it
  secboot.boot.secboot:
    profile: host
    state: confirmed
    stage: effective

- name: Apply a profile to the tree of an image
  secboot.boot.secboot:
    profile: guest
    root: /mnt/image
    zipl: false
"""

RETURN = r"""
reboot_required:
  description:
    - With O(state=applied) and O(state=verified), whether the running kernel lacks what the profile
      requires and gets it at the next IPL. V(false) as long as C(zipl) must run first.
    - With O(state=trial), whether the next reboot starts the trial.
    - With O(state=confirmed) and O(state=rolled_back), whether the next IPL uses another parameter
      line than the running kernel; not returned in check mode.
    - Always V(false) for a tree that is not the running system.
  returned: success
  type: bool
  sample: true
checkpoint:
  description:
    - Identifier of the change, which O(state=rolled_back) accepts.
    - V(null) if there was no change. With O(state=trial) it is that of the trial, whoever made it.
  returned: unless O(state=verified) or in check mode
  type: str
  sample: "3"
plan:
  description:
    - The plan, as C(secboot plan --output json) prints it, without file contents.
    - With O(state=rolled_back), what C(secboot rollback --dry-run --output json) prints, only in
      check mode.
  returned: when there is something to change, and always with O(state=applied)
  type: dict
  sample:
    changes: true
    commands: [[zipl]]
    files:
      - path: /etc/zipl.conf
trial:
  description: The trial, as RV(secboot.boot.secboot_info#module:trial) has it; V(null) if there is none.
  returned: when O(state=trial); in check mode only if it exists already, or if there is nothing to try
  type: dict
  version_added: "0.2.0"
  sample:
    checkpoint: "3"
    entry: Linux (secboot trial)
    number: 4
    profile: host
    state: waiting
rollback:
  description: What was restored, as C(secboot rollback --output json) prints it.
  returned: when O(state=rolled_back), something was undone, and not in check mode
  type: dict
  version_added: "0.2.0"
  sample:
    undone: "3"
    checkpoint: "4"
    files: [/etc/zipl.conf]
verification:
  description: The checks, as C(secboot verify --output json) prints them.
  returned: when a stage was checked
  type: dict
  sample:
    checks:
      - id: installed.swiotlb
        outcome: PASS
"""

import base64

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.secboot.boot.plugins.module_utils.secboot import (
    OK,
    Secboot,
    common_arguments,
    differs_from_next,
)

STANDS = ("waiting", "running", "prepared")


class Changing(Secboot):
    """The program, with the options of the verbs that change something."""

    def options(self):
        """Return the options of plan, apply, confirm and rollback."""
        zipl = self.module.params["zipl"]
        options = [] if zipl is None else ["--zipl" if zipl else "--no-zipl"]
        return options + self.with_state_dir()

    def change(self, verb, *options):
        """Run a verb that writes; return its document."""
        return self.run(verb, *(list(options) + self.options()))[1]

    def would_install(self, plan):
        """Return whether an apply of the plan would run zipl, which is left for later outside /."""
        wanted = self.module.params["zipl"]
        return bool(plan["commands"]) and (self.root == "/" if wanted is None else wanted)


def without_content(plan):
    """Return the plan without file contents, which the diff shows."""
    files = [
        dict((key, value) for key, value in each.items() if key not in ("before", "after"))
        for each in plan["files"]
    ]
    return dict(plan, files=files)


def text_of(content):
    """Return the text of a file from a plan; a file that does not exist is empty."""
    if content is None:
        return ""
    return to_text(base64.b64decode(content), errors="surrogate_or_replace")


def planned(module, plan, changed):
    """Return the result of a planned change: changed, the plan, and the diff if it is wanted."""
    result = {"changed": changed, "plan": without_content(plan)}
    if module._diff:
        result["diff"] = [
            {
                "before_header": each["path"],
                "after_header": each["path"],
                "before": text_of(each["before"]),
                "after": text_of(each["after"]),
            }
            for each in plan["files"]
        ]
    return result


def applied(module, secboot):
    """Apply the profile; return the result."""
    profile, stage = module.params["profile"], module.params["stage"]
    if module.check_mode:
        plan = secboot.change("plan", profile)
        result = planned(module, plan, bool(plan["files"]) or secboot.would_install(plan))
    else:
        done = secboot.change("apply", profile)
        plan = done["plan"]
        result = planned(module, plan, done["changed"])
        result["checkpoint"] = done["checkpoint"]
    would_change = module.check_mode and result["changed"]
    # An IPL uses what is planned for the boot record: not what only future kernels get, and
    # nothing if zipl is left for later.
    result["reboot_required"] = secboot.root == "/" and (
        (module.check_mode and secboot.would_install(plan)) or secboot.waits_for_ipl(profile)
    )
    if stage and not would_change:
        require_stage(module, secboot, result, stage)
    return result


def trial(module, secboot):
    """Try the profile for one IPL; return the result."""
    profile = module.params["profile"]
    status = secboot.status(profile)
    if status["trial"] is not None:
        require_same(module, secboot, status)
        return trial_result({"changed": False}, status["trial"])
    if not secboot.change("plan", profile)["changes"]:
        result = {"changed": False, "checkpoint": None, "trial": None}
        return dict(result, reboot_required=secboot.waits_for_ipl(profile))
    if module.check_mode:
        plan = secboot.change("apply", profile, "--trial", "--dry-run")
        return dict(planned(module, plan, True), reboot_required=secboot.root == "/")
    done = secboot.change("apply", profile, "--trial")
    result = planned(module, done["plan"], done["changed"])
    return trial_result(result, secboot.status(profile)["trial"])


def trial_result(result, standing):
    """Return the result with what is known about a trial."""
    return dict(
        result,
        reboot_required=standing["state"] == "waiting",
        checkpoint=standing["checkpoint"],
        trial=standing,
    )


def require_same(module, secboot, status):
    """Fail unless the current trial is one of this profile, as it is now, and has not failed."""
    standing, profile = status["trial"], status["profile"]
    if standing["state"] not in STANDS:
        module.fail_json(msg=described(standing), trial=standing)
    found = [
        each
        for each in secboot.history()["checkpoints"]
        if each["id"] == standing["checkpoint"] and each["profile_digest"] == profile["digest"]
    ]
    if not found:
        module.fail_json(
            msg="another trial has not ended: %s" % described(standing), trial=standing
        )


def described(standing):
    """Return what secboot reports about a trial, and what to do."""
    lines = []
    for finding in standing["findings"]:
        lines.append(finding["message"])
        lines += ["  %s" % line for line in (finding["hint"] or "").splitlines()]
    return "\n".join(lines)


def require_stage_of_trial(module):
    """Fail for a stage that a trial reaches before it boots, so that it says nothing about it."""
    stage = module.params["stage"]
    if module.params["state"] == "confirmed" and stage not in (None, "running", "effective"):
        module.fail_json(
            msg="state=confirmed requires stage=running or stage=effective, not stage=%s; to check an"
            " earlier stage, use state=verified" % stage
        )


def confirmed(module, secboot):
    """Make the trial permanent; return the result."""
    profile, stage = module.params["profile"], module.params["stage"]
    status = secboot.status(profile)
    standing = status["trial"]
    if standing is None:
        return without_trial(module, secboot, profile, stage)
    if profile is not None and standing["profile"] != status["profile"]["name"]:
        module.fail_json(
            msg="the current trial is not one of this profile: %s" % described(standing), trial=standing
        )
    options = ["--stage", stage] if stage else []
    if not module.check_mode:
        done = secboot.change("confirm", *options)
        result = dict(planned(module, done["plan"], done["changed"]), checkpoint=done["checkpoint"])
        return dict(result, reboot_required=differs_from_next(secboot.status()))
    options += ["--dry-run"] + secboot.options()
    code, out, err, command = secboot.call("confirm", *options)
    if code != OK:
        secboot.skip("check mode: the trial cannot be confirmed now: %s" % err.strip())
    return planned(module, module.from_json(out), True)


def without_trial(module, secboot, profile, stage):
    """Return the result if there is no trial: nothing is changed, but a profile must be met."""
    result = {"changed": False}
    if not module.check_mode:
        result["checkpoint"] = None
        result["reboot_required"] = differs_from_next(secboot.status())
    if profile is not None:
        last = stage or ("running" if secboot.root == "/" else "inherited")
        passed, document = secboot.verify(profile, last)
        if not passed and module.check_mode:
            secboot.skip("check mode: there is no trial that could be confirmed now")
        finish_verification(module, result, passed, document)
    return result


def rolled_back(module, secboot):
    """Undo a change, or drop the trial; return the result."""
    wanted = module.params["checkpoint"]
    if wanted is None:
        standing = secboot.status()["trial"]
        if standing is not None and standing["checkpoint"] is None:
            module.fail_json(msg=described(standing), trial=standing)
        wanted = None if standing is None else standing["checkpoint"]
    elif is_undone(secboot, wanted):
        wanted = None
    if wanted is None:
        result = {"changed": False}
        if not module.check_mode:
            result["checkpoint"] = None
    elif module.check_mode:
        plan = secboot.change("rollback", wanted, "--dry-run")
        return planned(module, plan, plan["changes"])
    else:
        plan = secboot.change("rollback", wanted, "--dry-run") if module._diff else None
        done = secboot.change("rollback", wanted)
        result = {"changed": True} if plan is None else planned(module, plan, True)
        result.pop("plan", None)
        result.update(rollback=done, checkpoint=done["checkpoint"])
    if not module.check_mode:
        result["reboot_required"] = differs_from_next(secboot.status())
    return result


def is_undone(secboot, checkpoint):
    """Return whether nothing is left of a change: it was undone, or failed and was rolled back."""
    for each in secboot.history()["checkpoints"]:
        if each["id"] == checkpoint:
            return each["undone_by"] is not None or each["state"] == "rolled back"
    return False


def verified(module, secboot):
    """Check the profile; return the result."""
    result = {"changed": False}
    require_stage(module, secboot, result, module.params["stage"])
    return dict(result, reboot_required=secboot.waits_for_ipl(module.params["profile"]))


def require_stage(module, secboot, result, stage):
    """Add the checks to the result; fail if one of them failed."""
    passed, document = secboot.verify(module.params["profile"], stage)
    finish_verification(module, result, passed, document)


def finish_verification(module, result, passed, document):
    """Add these checks to the result; fail if one of them failed."""
    result["verification"] = document
    if not passed:
        missing = [
            "%s: %s" % (each["id"], each["message"])
            for each in document["checks"]
            if each["outcome"] == "FAIL"
        ]
        module.fail_json(
            msg="the machine does not meet the profile: %s" % "; ".join(missing), **result
        )


STATES = {
    "applied": applied,
    "trial": trial,
    "confirmed": confirmed,
    "rolled_back": rolled_back,
    "verified": verified,
}


def main():
    """Do what the task asks."""
    module = AnsibleModule(
        argument_spec=dict(
            common_arguments(),
            profile={"type": "str"},
            state={
                "type": "str",
                "choices": ["applied", "trial", "confirmed", "rolled_back", "verified"],
                "default": "applied",
            },
            checkpoint={"type": "str"},
            stage={
                "type": "str",
                "choices": ["configured", "inherited", "installed", "running", "effective"],
            },
            zipl={"type": "bool"},
        ),
        required_if=[("state", name, ["profile"]) for name in ("applied", "trial", "verified")],
        supports_check_mode=True,
    )
    require_stage_of_trial(module)
    secboot = Changing(module)
    secboot.require()
    module.exit_json(**STATES[module.params["state"]](module, secboot))


if __name__ == "__main__":
    main()
