"""A parameter line as the kernel of a boot entry gets it: with variables replaced, and cut to fit.

zipl accepts a line of exactly the maximum length, but its last byte is lost at IPL, where the final
NUL replaces it (zipl/src/job.c, check_common_ipl_data; zipl/boot/stage3.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.formats.text import byte_length, decoded, encoded
from secboot.formats.zipl_parameters import ZiplEnvironment, variables_of
from secboot.profile.requirement import Judgement

if TYPE_CHECKING:
    from secboot.profile.requirement import Requirement
    from secboot.zipl.entry import BootEntry


def judge_line(
    requirement: Requirement,
    line: str | None,
    environment: ZiplEnvironment | None,
    entry: BootEntry | None,
) -> Judgement:
    """Judge a line of an entry as its kernel gets it at every site: if one fails, the line fails."""
    text = line or ""
    if environment is None or not variables_of(text):
        return _judge(requirement, text, entry)
    common = _judge(requirement, environment.expand(text), entry)
    if not common.met:
        return common
    for site in environment.sites:
        judgement = _judge(requirement, environment.expand(text, site), entry)
        if not judgement.met:
            return Judgement(met=False, reason=f"at site {site}: {judgement.reason}")
    return common


def is_cut(line: str | None, entry: BootEntry | None) -> bool:
    """Whether the kernel of an entry gets less than this line."""
    limit = None if entry is None else entry.max_parm_size
    return limit is not None and byte_length(line or "") >= limit


def _judge(requirement: Requirement, text: str, entry: BootEntry | None) -> Judgement:
    whole = requirement.judge(CommandLine.parse(text))
    if entry is None or entry.max_parm_size is None or not is_cut(text, entry):
        return whole
    usable = entry.max_parm_size - 1
    judgement = requirement.judge(CommandLine.parse(decoded(encoded(text)[:usable])))
    if judgement == whole:
        return whole
    reason = f"the kernel gets only {usable} of the {byte_length(text)} bytes: {judgement.reason}"
    return judgement._replace(reason=reason)
