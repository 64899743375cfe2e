#!/bin/sh
# /init of the guest's initramfs: mount the root disk and hand over to its init= or /sbin/init.
# Without root= on the command line it reports how the kernel took that line, and stops.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
root=
init=/sbin/init
for word in $($b cat /proc/cmdline); do
    case $word in
    root=*) root=${word#root=} ;;
    init=*) init=${word#init=} ;;
    esac
done
if [ -z "$root" ]; then
    $b dmesg -n 1
    echo "@@BOOTED"
    echo "@@CMDLINE $($b cat /proc/cmdline)"
    for file in prot_virt_host prot_virt_guest; do
        echo "@@UV $file=$($b cat /sys/firmware/uv/$file 2>/dev/null)"
    done
    echo "@@DONE"
    $b poweroff -f
fi
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/lib/$module.ko"; done < /lib/order
# The order in which the channel subsystem brings disks online, and so vda, vdb..., varies from
# boot to boot; the links that udev makes on a real system do not.
links() {
    $b mkdir -p /dev/disk/by-path
    for block in /sys/bus/ccw/devices/*/virtio*/block/*; do
        [ -e "$block" ] || continue
        ccw=${block#/sys/bus/ccw/devices/}
        $b ln -sf "/dev/${block##*/}" "/dev/disk/by-path/ccw-${ccw%%/*}"
    done
}
links
tries=0
while [ ! -b "$root" ] && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    $b usleep 50000
    links
done
$b mount -t ext4 -o rw "$root" /new || { echo "@@NOROOT"; $b poweroff -f; }
for directory in proc sys dev; do $b mount --move /$directory /new/$directory; done
exec $b switch_root /new "$init"
