# -*- coding: utf-8 -*-

# Copyright: 2026 secboot developers
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    """The options that all modules have."""

    DOCUMENTATION = r"""
options:
  root:
    description:
      - Root directory of the system, for example an image tree.
    type: path
    default: /
  state_dir:
    description:
      - Directory for checkpoints. The default is F(/var/lib/secboot) inside the root.
      - A trial can only be followed with the default.
    type: path
  executable:
    description:
      - Name or path of secboot, which can be F(secboot.pyz).
    type: str
    default: secboot
attributes:
  action_group:
    support: full
    description: Use C(group/secboot.boot.secboot) in C(module_defaults) to set options of both modules.
    membership:
      - secboot.boot.secboot
"""
