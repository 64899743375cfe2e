"""Names that are certain to be kernel parameters, and not misspelled keywords of a boot file.

A word in a place where zipl expects a keyword may be a misspelled keyword. It is treated as a
parameter only if the kernel, its modules or the first programs of user space are known to read it,
and if it does not resemble any of zipl's keywords.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from secboot.formats.kernel_cmdline import CommandLine
from secboot.kernel.command_line import BOOT_CODE_NAMES, MULTI_VALUED_NAMES

if TYPE_CHECKING:
    from secboot.formats.kernel_cmdline import Parameter

_NAMES = frozenset(
    {
        # Documentation/admin-guide/kernel-parameters.txt, those in use on s390x.
        "swiotlb", "root", "rootfstype", "rootflags", "rootdelay", "ro", "rw", "quiet", "debug",
        "loglevel", "crashkernel", "crash_kexec_post_notifiers", "hugepagesz", "hugepages",
        "default_hugepagesz", "transparent_hugepage", "panic", "panic_on_oops", "printk.time",
        "maxcpus", "nr_cpus", "possible_cpus", "nosmt", "smt", "mitigations", "spectre_v2",
        "nospec", "nobp", "audit", "selinux", "enforcing", "apparmor", "lsm", "security", "fips",
        "ima_policy", "ima_appraise", "integrity", "numa", "isolcpus", "nohz_full", "rcu_nocbs",
        "elevator", "cgroup_no_v1", "noresume", "module_blacklist", "stp", "user_mode",
        "cma", "zswap.enabled", "random.trust_cpu", "init_on_alloc", "slub_debug",
        # Documentation/arch/s390: devices and consoles.
        "condev", "conmode", "hvc_iucv", "hvc_iucv_allow", "vmhalt", "vmpanic", "vmpoff",
        "vmreboot", "vdso", "topology", "topology_updates", "cad", "pci", "s390_iommu", "cmma",
        "zfcp.device", "cmf.format", "sclp_con_pages", "sclp_con_drop", "dcssblk.segments",
        # kernel-command-line(7) and dracut.cmdline(7).
        "rhgb", "splash", "plymouth.enable", "net.ifnames", "biosdevname", "nomodeset",
    }
    | BOOT_CODE_NAMES
    | MULTI_VALUED_NAMES
)  # fmt: skip
_OF_A_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)+", re.ASCII)
"""``module.parameter=value`` (kernel/params.c), dracut's ``rd.``, systemd's ``systemd.``."""


def is_parameter(word: Parameter) -> bool:
    """Tell whether a word is certain to be a kernel parameter; one of a module must have a value."""
    if word.name in _NAMES:
        return True
    return word.value is not None and _OF_A_MODULE.fullmatch(word.name) is not None


def parameters_in(text: str) -> tuple[str, ...]:
    """Return the words of a text if all of them are kernel parameters; otherwise none."""
    line = CommandLine.parse(text)
    if line.unterminated_quote or line.dashdash is not None or not line.parameters:
        return ()
    if not all(map(is_parameter, line.parameters)):
        return ()
    return tuple(parameter.text for parameter in line.parameters)
