"""Scripts in the form that grub2-mkconfig's scripts write them: 00_header, 10_linux."""

from __future__ import annotations

from secboot.formats.grub_variables import Files

BLOCK = "# GRUB Environment Block\n"
FILES: Files = {
    "/boot/grub2/grubenv": None,
    "/boot/grub2/custom.cfg": None,
    "/sys/firmware/ipl/loadparm": None,
}

ENTRIES = """\
menuentry 'SLES 15-SP6' --hotkey=1 --class sles --class os ${menuentry_id_option} 'gnulinux-simple-1' {
	load_video
	set gfxpayload=keep
	insmod gzio
	echo	'Loading Linux 6.4.0-150600.23-default ...'
	linux	${btrfs_subvol}/boot/image-6.4.0-150600.23-default root=UUID=1 ${extra_cmdline} hvc_iucv=8 quiet
	echo	'Loading initial ramdisk ...'
	initrd	${btrfs_subvol}/boot/initrd-6.4.0-150600.23-default
}
submenu 'Advanced options for SLES 15-SP6' --hotkey=1 $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'SLES 15-SP6, with Linux 6.4.0-150600.23-default' $menuentry_id_option 'gnulinux-23-1' {
		if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
		linux	/boot/image-6.4.0-150600.23-default root=UUID=1 hvc_iucv=8 quiet
		initrd	/boot/initrd-6.4.0-150600.23-default
	}
	menuentry 'SLES 15-SP6, with Linux 6.4.0-150600.23-default (recovery mode)' $menuentry_id_option 'r' {
		linux	/boot/image-6.4.0-150600.23-default root=UUID=1 single
		initrd	/boot/initrd-6.4.0-150600.23-default
	}
	menuentry 'SLES 15-SP6, with Linux 6.4.0-150600.21-default' $menuentry_id_option 'gnulinux-21-1' {
		linux	/boot/image-6.4.0-150600.21-default root=UUID=1 older
	}
}
menuentry own {
	linux /boot/own own
}
"""

HEADER = """\
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod vga
  fi
}
terminal_input console
if [ x${boot_once} = xtrue ]; then
  set timeout=0
elif [ x$feature_timeout_style = xy ] ; then
  set timeout_style=menu
  set timeout=8
else
  set timeout=8
fi
"""

_BLOCKS = """\
set btrfs_relative_path="y"
export btrfs_relative_path
if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${env_block}" ] ; then
  load_env -f "(${root})${env_block}"
fi
if [ ! "$sys_loadparm" ]; then set sys_loadparm=/sys/firmware/ipl/loadparm; fi
while [ -f "$sys_loadparm" ]; do
  unset loadparm
  read_file "$sys_loadparm" loadparm
  if [ ! "${loadparm}" ]; then break; fi
  unset chosen_by_loadparm	# the part after the g
  regexp -s 2:chosen_by_loadparm '^([^Gg]*)[Gg](.+)$' "$loadparm"
  if [ ! "$chosen_by_loadparm" ]; then break; fi
  set next_entry="$chosen_by_loadparm"
  break
done
"""
SUSE_HEADER = (
    _BLOCKS
    + HEADER.split("fi\n", 1)[1]
    + 'if [ -n "$extra_cmdline" ]; then\n  submenu "Bootable snapshot #$snapshot_num" {\n'
    + "    menuentry \"If OK, run 'snapper rollback' and reboot.\" { true; }\n  }\nfi\n"
)
"""SUSE's header on s390x: a different location of grubenv, and selection by LOADPARM."""
