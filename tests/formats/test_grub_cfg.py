from __future__ import annotations

from secboot.formats.grub import GrubCfg, GrubKernel

CFG = """\
set default="0"
menuentry 'SLES 15-SP6'  --class sles {
\tinsmod btrfs
\techo\t'Loading Linux 6.4.0-150600.21-default ...'
\tlinux\t/boot/image-6.4.0-150600.21-default root=UUID=1 ${extra_cmdline} prot_virt=1
\tinitrd\t/boot/initrd-6.4.0-150600.21-default
}
submenu 'Advanced options' {
\tmenuentry 'recovery' {
\t\tlinux /boot/image-6.4.0-150600.21-default root=UUID=1 single
\t}
}
linuxrc something
linux /boot/alone
"""


def test_the_kernels_and_their_parameters() -> None:
    image = "/boot/image-6.4.0-150600.21-default"

    assert GrubCfg.parse(CFG).kernels == (
        GrubKernel(5, image, "root=UUID=1 ${extra_cmdline} prot_virt=1"),
        GrubKernel(10, image, "root=UUID=1 single"),
        GrubKernel(14, "/boot/alone", ""),
    )
