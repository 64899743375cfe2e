#!/usr/bin/python
# -*- coding: utf-8 -*-

# Copyright: 2026 secboot developers
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: secboot_info
short_description: Report the boot configuration of an IBM Z machine and a profile's progress
version_added: "0.2.0"
description:
  - Runs C(secboot status) and C(secboot history) on the machine and returns what they report.
  - Nothing is changed, and a stage that is missing is not a failure. To fail for a missing stage, use
    M(secboot.boot.secboot) with O(secboot.boot.secboot#module:state=verified).
options:
  profile:
    description:
      - Name of the profile, or its path on the machine.
      - Without it, only what is found is returned, and RV(stages) is empty.
    type: str
attributes:
  check_mode:
    support: full
    description: Nothing is ever written.
  diff_mode:
    support: none
    description: There is nothing to show.
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
  - Without root's rights, checkpoints cannot be read. The task then fails; use C(become).
seealso:
  - module: secboot.boot.secboot
"""

EXAMPLES = r"""
- name: Find out how far the guest profile has progressed
  secboot.boot.secboot_info:
    profile: guest
  register: boot

- name: Show the stages
  ansible.builtin.debug:
    var: boot.stages

- name: Show the trial that has not ended
  ansible.builtin.debug:
    msg: "{{ boot.trial.entry }}: {{ boot.trial.state }}"
  when: boot.trial is not none

- name: Find out what waits for an IPL, with a secboot that is not in the search path
  module_defaults:
    group/secboot.boot.secboot:
      executable: /opt/secboot/secboot.pyz
  block:
    - name: Ask secboot
      secboot.boot.secboot_info:
      register: found

- name: Undo the newest change of this profile
  secboot.boot.secboot:
    state: rolled_back
    checkpoint: "{{ changes[-1].id }}"
  vars:
    changes: "{{ boot.checkpoints | selectattr('profile', 'equalto', 'guest')
      | rejectattr('action', 'equalto', 'rollback') | selectattr('state', 'equalto', 'done')
      | selectattr('undone_by', 'none') }}"
  when: changes | length > 0
"""

RETURN = r"""
stages:
  description:
    - The verdict for each of the five stages of O(profile), that of the requirement which is worst.
    - V(met), V(missing), V(unknown), or V(not-applicable), for example for the stages V(running) and
      V(effective) of a tree that is not the running system.
  returned: success
  type: dict
  sample:
    configured: met
    inherited: met
    installed: met
    running: missing
    effective: missing
reboot_required:
  description:
    - With O(profile), whether the running kernel lacks what the profile requires and gets it at the
      next IPL.
    - Without O(profile), whether the next IPL uses another parameter line than the running kernel.
    - V(true) if a trial is waiting for the next reboot.
    - V(false) if this is unknown.
  returned: success
  type: bool
  sample: true
trial:
  description: A change that is tried for one IPL; V(null) if there is none.
  returned: success
  type: dict
  sample:
    checkpoint: "3"
    entry: Linux (secboot trial)
    findings: []
    line: root=/dev/dasda1 prot_virt=1
    number: 4
    profile: host
    state: waiting
  contains:
    state:
      description:
        - V(waiting), if the next reboot starts it; V(running), if the machine was booted with its
          parameter line, so that it can be confirmed; V(failed), if the machine was booted with
          another line; V(lost), if a reboot no longer starts it; V(prepared), if it was made in a
          tree that is not the running system; V(gone), if its boot entry was removed; V(unknown),
          if its checkpoint cannot be read.
      type: str
      returned: always
      sample: waiting
    entry:
      description: Name of its boot entry.
      type: str
      returned: always
      sample: Linux (secboot trial)
    number:
      description: Number of the boot entry in the boot menu; V(null) if it has none.
      type: int
      returned: always
      sample: 4
    profile:
      description: Name of the profile that is tried; V(null) if it is unknown.
      type: str
      returned: always
      sample: host
    checkpoint:
      description: Identifier of its checkpoint; V(null) if it cannot be read.
      type: str
      returned: always
      sample: "3"
    line:
      description: Parameter line of the boot entry; V(null) if it is unknown.
      type: str
      returned: always
      sample: root=/dev/dasda1 prot_virt=1
    findings:
      description: What the state means, and what to do.
      type: list
      elements: dict
      returned: always
      sample: []
checkpoints:
  description: The changes that were made, oldest first, as C(secboot history --output json) lists them.
  returned: success
  type: list
  elements: dict
  sample:
    - id: "3"
      action: apply
      profile: guest
      state: done
      undone_by: null
  contains:
    id:
      description: Identifier, which O(secboot.boot.secboot#module:checkpoint) accepts.
      type: str
      returned: always
      sample: "3"
    action:
      description: What was done, for example V(apply) or V(rollback).
      type: str
      returned: always
      sample: apply
    profile:
      description: Name of the profile; V(null) if there was none.
      type: str
      returned: always
      sample: guest
    state:
      description: V(done), V(rolled back) if it failed, or the state in which it was interrupted.
      type: str
      returned: always
      sample: done
    undone_by:
      description: Identifier of the rollback that undid it; V(null) if it was not undone.
      type: str
      returned: always
      sample:
status:
  description:
    - The status, as C(secboot status --output json) prints it, with every boot entry, the boot
      record, the running system and the reason for each verdict.
  returned: success
  type: dict
  sample:
    schema: secboot/status/2
    layout: BLS entries and zipl.conf
    root: /
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.secboot.boot.plugins.module_utils.secboot import (
    Secboot,
    common_arguments,
    differs_from_next,
    stages_of,
)


def main():
    """Return what the machine reports."""
    module = AnsibleModule(
        argument_spec=dict(common_arguments(), profile={"type": "str"}),
        supports_check_mode=True,
    )
    secboot = Secboot(module)
    secboot.require()
    profile = module.params["profile"]
    status = secboot.status(profile)
    trial = status["trial"]
    if trial is not None and trial["state"] == "waiting":
        due = True
    else:
        due = secboot.waits_for_ipl(profile) if profile else differs_from_next(status)
    module.exit_json(
        changed=False,
        stages=stages_of(status),
        reboot_required=due,
        trial=trial,
        checkpoints=secboot.history()["checkpoints"],
        status=status,
    )


if __name__ == "__main__":
    main()
