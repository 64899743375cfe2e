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
  - With O(state=verified), nothing is changed, and the task fails if a stage is missing.
options:
  profile:
    description:
      - Name of the profile, or its path on the machine.
    type: str
    required: true
  state:
    description:
      - Whether to apply the profile or only to verify it.
    type: str
    choices: [applied, verified]
    default: applied
  stage:
    description:
      - Last stage that the machine must have reached; the task fails if it has not.
      - With O(state=applied) it is checked after the change; in check mode only if there is
        nothing to change.
      - With O(state=verified), the default is V(effective) for the running system and
        V(inherited) for another tree.
    type: str
    choices: [configured, inherited, installed, running, effective]
  root:
    description:
      - Root directory of the system, for example an image tree.
    type: path
    default: /
  zipl:
    description:
      - Whether to run C(zipl). By default it runs if O(root=/).
    type: bool
  state_dir:
    description:
      - Directory for checkpoints. The default is F(/var/lib/secboot) inside the root.
    type: path
  executable:
    description:
      - Name or path of secboot, which can be F(secboot.pyz).
    type: str
    default: secboot
attributes:
  check_mode:
    support: full
    description: Nothing is written, and RV(ignore:changed) is what the change would return.
  diff_mode:
    support: full
    description: Shows each file before and after the change.
  platform:
    support: full
    description: Linux on IBM Z and LinuxONE; trees of such systems elsewhere.
    platforms: linux
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
author:
  - secboot developers (@secboot)
notes:
  - The two files in F(/sys/firmware/uv) on which the stage V(effective) is based are indications,
    not proof. Do not base security decisions on them.
"""

EXAMPLES = r"""
- name: Apply the guest profile
  secboot.boot.secboot:
    profile: guest

- name: Verify that it is in effect
  secboot.boot.secboot:
    profile: guest
    state: verified
    stage: effective
"""

RETURN = r"""
reboot_required:
  description:
    - Whether the running kernel lacks what the profile requires and gets it at the next IPL. False
      as long as C(zipl) must run first, and always false for a tree that is not the running system.
  returned: success
  type: bool
checkpoint:
  description: Identifier for C(secboot rollback) to undo the change; null if there was no change.
  returned: when O(state=applied) and not in check mode
  type: str
plan:
  description: The plan, as C(secboot plan --output json) prints it, without file contents.
  returned: when O(state=applied)
  type: dict
verification:
  description: The checks, as C(secboot verify --output json) prints them.
  returned: when a stage was checked
  type: dict
"""

import base64
import json

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text

OK = 0
DIFFERENCE = 5
MEANINGS = {
    1: "secboot refused or failed; nothing was changed",
    2: "usage error, or an invalid profile or boot file; nothing was changed",
    3: "the change failed and was rolled back: the machine is as before",
    4: "ROLLBACK FAILED: do not re-IPL before the machine is repaired",
    6: "the change was made, but its report could not be written",
    70: "a bug in secboot",
    130: "secboot was interrupted",
}


class Secboot(object):
    """The program on this machine, with the options of every call."""

    def __init__(self, module):
        self.module = module
        self.root = module.params["root"]
        self.program = module.params["executable"]

    def run(self, verb, *options):
        """Run a verb with JSON output; return its exit code and document."""
        command = [self.program, verb] + list(options) + ["--root", self.root, "--output", "json"]
        code, out, err = self.module.run_command(command, environ_update={"LC_ALL": "C.UTF-8"})
        if code not in (OK, DIFFERENCE):
            self.fail(command, code, err)
        try:
            return code, json.loads(out)
        except ValueError:
            self.fail(command, code, err or out)

    def fail(self, command, code, err):
        """Fail with what secboot said: what is wrong, where, and what to do."""
        said = err.strip() or MEANINGS.get(code, "secboot exited with %d" % code)
        self.module.fail_json(
            msg=said, meaning=MEANINGS.get(code, ""), rc=code, cmd=" ".join(command)
        )

    def changing_options(self):
        """Return the options of plan and apply."""
        options = []
        zipl, state_dir = self.module.params["zipl"], self.module.params["state_dir"]
        if zipl is not None:
            options.append("--zipl" if zipl else "--no-zipl")
        if state_dir is not None:
            options += ["--state-dir", state_dir]
        return options

    def plan(self, profile):
        """Return the plan's document; nothing is written."""
        return self.run("plan", profile, *self.changing_options())[1]

    def apply(self, profile):
        """Change the machine; return the document about the change."""
        return self.run("apply", profile, *self.changing_options())[1]

    def verify(self, profile, stage):
        """Return whether all checks up to a stage passed, and the checks."""
        options = ["--stage", stage] if stage else []
        code, document = self.run("verify", profile, *options)
        return code == OK, document

    def waits_for_ipl(self, profile):
        """Return whether the running kernel lacks what is installed for the next IPL."""
        if self.root != "/":
            return False
        checks = self.verify(profile, "running")[1]["checks"]
        failed = set(each["id"].split(".")[0] for each in checks if each["outcome"] == "FAIL")
        # If zipl has not run yet, an IPL would use the old parameters.
        return "running" in failed and "installed" not in failed


def without_content(plan):
    """Return the plan without file contents, which the diff shows."""
    files = [
        dict((key, value) for key, value in each.items() if key not in ("before", "after"))
        for each in plan["files"]
    ]
    return dict(plan, files=files)


def diff_of(plan):
    """Return what Ansible shows with --diff."""
    return [
        {
            "before_header": each["path"],
            "after_header": each["path"],
            "before": to_text(base64.b64decode(each["before"]), errors="surrogate_or_replace"),
            "after": to_text(base64.b64decode(each["after"]), errors="surrogate_or_replace"),
        }
        for each in plan["files"]
    ]


def would_install(module, secboot, plan):
    """Return whether an apply of the plan would run zipl, which is left for later outside /."""
    wanted = module.params["zipl"]
    return bool(plan["commands"]) and (secboot.root == "/" if wanted is None else wanted)


def applied(module, secboot):
    """Apply the profile; return the result."""
    profile, stage = module.params["profile"], module.params["stage"]
    if module.check_mode:
        plan = secboot.plan(profile)
        result = {"changed": bool(plan["files"]) or would_install(module, secboot, plan)}
    else:
        done = secboot.apply(profile)
        plan = done["plan"]
        result = {"changed": done["changed"], "checkpoint": done["checkpoint"]}
    result["plan"] = without_content(plan)
    if module._diff:
        result["diff"] = diff_of(plan)
    would_change = module.check_mode and result["changed"]
    # An IPL uses what is planned for the boot record: not what only future kernels get, and
    # nothing if zipl is left for later.
    result["reboot_required"] = secboot.root == "/" and (
        (module.check_mode and would_install(module, secboot, plan))
        or secboot.waits_for_ipl(profile)
    )
    if stage and not would_change:
        require_stage(module, secboot, result)
    return result


def require_stage(module, secboot, result):
    """Add the checks to the result; fail if one of them failed."""
    passed, document = secboot.verify(module.params["profile"], module.params["stage"])
    result["verification"] = document
    if not passed:
        missing = ["%s: %s" % (each["id"], each["message"]) for each in document["checks"]
                   if each["outcome"] == "FAIL"]
        module.fail_json(msg="the machine does not meet the profile: %s" % "; ".join(missing),
                         **result)


def main():
    """Do what the task asks."""
    module = AnsibleModule(
        argument_spec={
            "profile": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["applied", "verified"], "default": "applied"},
            "stage": {
                "type": "str",
                "choices": ["configured", "inherited", "installed", "running", "effective"],
            },
            "root": {"type": "path", "default": "/"},
            "zipl": {"type": "bool"},
            "state_dir": {"type": "path"},
            "executable": {"type": "str", "default": "secboot"},
        },
        supports_check_mode=True,
    )
    secboot = Secboot(module)
    if module.get_bin_path(secboot.program) is None:
        missing = "%s: command not found" % secboot.program
        if module.check_mode:
            module.exit_json(
                changed=False,
                skipped=True,
                msg="%s; check mode does not install it, so there is nothing to report" % missing,
            )
        module.fail_json(msg="%s; copy secboot.pyz to the machine or install the package" % missing)
    if module.params["state"] == "applied":
        result = applied(module, secboot)
    else:
        result = {"changed": False}
        require_stage(module, secboot, result)
        result["reboot_required"] = secboot.waits_for_ipl(module.params["profile"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
