"""Which way this machine's distribution configures the boot, told by what the root holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from secboot.errors import RefusedError

if TYPE_CHECKING:
    from secboot.machine.root import Root

OSTREE_MARKS = ("/ostree/repo", "/run/ostree-booted", "/sysroot/ostree")
SUSE_MARKS = ("/etc/default/zipl2grub.conf.in", "/boot/zipl/config")


@dataclass(frozen=True, slots=True)
class Layout:
    """How boot parameters are managed here; `refusal` says why files must not be edited."""

    name: str
    description: str
    refusal: str | None = None
    hint: str | None = None

    def require_editable(self) -> None:
        """Raise RefusedError when the boot files here belong to another program."""
        if self.refusal is not None:
            raise RefusedError(self.refusal, hint=self.hint)


ZIPL_CONF = Layout("zipl.conf", "zipl.conf sections")
BLS = Layout("bls", "BLS entries and zipl.conf")
OSTREE = Layout(
    "ostree",
    "ostree deployments",
    "the boot entries of an ostree system are generated for each deployment; an edit is lost with"
    " the next one",
    "use: rpm-ostree kargs --append-if-missing=KEY=VALUE (or a kargs.d file with bootc, or a"
    " MachineConfig on OpenShift)",
)
SUSE = Layout(
    "suse",
    "SUSE's two-stage boot (zipl, then grub2-emu)",
    "SUSE boots in two stages from generated files (/boot/zipl/config, grub.cfg), which are"
    " overwritten; secboot does not manage this layout yet",
    "set the parameter in GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub, then run:"
    " update-bootloader --reinit",
)


def detect_layout(root: Root, *, has_bls: bool) -> Layout:
    """Return the layout of the tree; `has_bls` says that there are BLS entries."""
    if any(root.exists(path) for path in OSTREE_MARKS):
        return OSTREE
    if any(root.exists(path) for path in SUSE_MARKS):
        return SUSE
    return BLS if has_bls else ZIPL_CONF
