"""The files of SUSE's two stages: the edited ones, and those generated from them."""

from __future__ import annotations

GRUB_DEFAULT = "/etc/default/grub"
ZIPL_TEMPLATE = "/etc/default/zipl2grub.conf.in"
SE_TEMPLATE = "/etc/default/se-parm.conf.in"
ZIPL_CONFIG = "/boot/zipl/config"
GRUB_CFG = "/boot/grub2/grub.cfg"
GRUBENV = "/boot/grub2/grubenv"
MORE_OF_GRUB_CFG = ("/boot/grub2/custom.cfg", "/.snapshots/grub-snapshot.cfg")
"""The files that grub.cfg continues with if they exist (41_custom, 80_suse_btrfs_snapshot)."""
FIRST_STAGE = "initgrub"
"""The parameter with which the first system starts grub2-emu (dracut module 99grub2)."""
