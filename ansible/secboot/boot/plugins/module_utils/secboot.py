# -*- coding: utf-8 -*-

# Copyright: 2026 secboot developers
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
# SPDX-License-Identifier: Apache-2.0

"""How the modules of this collection call secboot and read its JSON documents."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

OK = 0
DIFFERENCE = 5
MEANINGS = {
    1: "secboot refused or failed before any file was changed",
    2: "usage error, or an invalid profile or boot file; nothing was changed",
    3: "the change failed and was rolled back: the machine is as before",
    4: "ROLLBACK FAILED: do not re-IPL before the machine is repaired",
    6: "the change was made, but its report could not be written",
    70: "a bug in secboot",
    130: "secboot was interrupted",
}


class Secboot(object):
    """The program on this machine, with the options that every call has."""

    def __init__(self, module):
        self.module = module
        self.root = module.params["root"]
        self.program = module.params["executable"]
        self.state_dir = module.params["state_dir"]

    def require(self):
        """End the task unless the program is found: in check mode it is skipped, otherwise it fails."""
        if self.module.get_bin_path(self.program) is not None:
            return
        missing = "%s: command not found" % self.program
        if self.module.check_mode:
            self.skip(
                "%s; check mode does not install it, so there is nothing to report" % missing
            )
        self.module.fail_json(
            msg="%s; copy secboot.pyz to the machine or install the package" % missing
        )

    def skip(self, why):
        """End the task: check mode cannot say what would be done."""
        self.module.exit_json(changed=False, skipped=True, msg=why)

    def call(self, verb, *options):
        """Run a verb with JSON output; return its exit code, output, error output and the command."""
        command = [self.program, verb] + list(options) + ["--root", self.root, "--output", "json"]
        code, out, err = self.module.run_command(command, environ_update={"LC_ALL": "C.UTF-8"})
        return code, out, err, command

    def run(self, verb, *options):
        """Run a verb; return its exit code and document, or end the task with what it reported."""
        code, out, err, command = self.call(verb, *options)
        if code not in (OK, DIFFERENCE):
            self.fail(command, code, err)
        try:
            return code, json.loads(out)
        except ValueError:
            self.fail(command, code, err or out)

    def fail(self, command, code, err):
        """Fail with what secboot reported: what is wrong, where, and what to do."""
        said = err.strip() or MEANINGS.get(code, "secboot exited with %d" % code)
        self.module.fail_json(
            msg=said, meaning=MEANINGS.get(code, ""), rc=code, cmd=" ".join(command)
        )

    def with_state_dir(self):
        """Return the option for another directory of checkpoints."""
        return [] if self.state_dir is None else ["--state-dir", self.state_dir]

    def status(self, profile=None):
        """Return the document of `secboot status`."""
        return self.run("status", *([profile] if profile else []))[1]

    def history(self):
        """Return the document of `secboot history`."""
        return self.run("history", *self.with_state_dir())[1]

    def verify(self, profile, stage=None):
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


def words_of(line):
    """Return the words of a parameter line, without what the boot loader adds."""
    return [word for word in line.split() if not word.startswith("BOOT_IMAGE=")]


def next_line(status):
    """Return the parameter line that the next IPL uses, None if it is unknown."""
    reboot = status["reboot"]
    if reboot is not None and reboot["line"] is not None:
        return reboot["line"]
    recorded = [each["recorded_parameters"] for each in status["entries"] if each["default"]]
    return recorded[0] if recorded else None


def differs_from_next(status):
    """Return whether the next IPL uses another parameter line than the running kernel.

    False if one of the two is unknown, as for a tree that is not the running system.
    """
    running, line = status["running"], next_line(status)
    if running is None or running["command_line"] is None or line is None:
        return False
    return words_of(running["command_line"]) != words_of(line)


def stages_of(status):
    """Return the verdict for each stage of a profile: that of its worst requirement."""
    order = ["not-applicable", "met", "unknown", "missing"]
    stages = {}
    for requirement in status["requirements"]:
        for stage, result in requirement["stages"].items():
            worst = max(stages.get(stage, order[0]), result["verdict"], key=order.index)
            stages[stage] = worst
    return stages


def common_arguments():
    """Return the arguments that all modules have."""
    return {
        "root": {"type": "path", "default": "/"},
        "state_dir": {"type": "path"},
        "executable": {"type": "str", "default": "secboot"},
    }
