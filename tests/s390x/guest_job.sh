#!/bin/sh
# The end of every boot of the guest: unpack the job from the third disk, run it, report, stop.
# Lines that start with @@ are for the test that booted this machine.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
# Nothing but what the job says may appear between its markers.
dmesg -n 1
echo "@@BOOTED $(cut -d' ' -f1 /proc/uptime)"
echo "@@CMDLINE $(cat /proc/cmdline)"
program=/dev/disk/by-path/ccw-0.0.0002
job=/dev/disk/by-path/ccw-0.0.0003
if [ -b $program ]; then mount -t ext4 -o ro,noload $program /opt; fi
if [ -b $job ]; then
    mkdir /run/job
    tar -x -f $job -C /run/job
    cd /run/job || exit
    sh ./job < /dev/null 2>&1
    echo "@@JOB $?"
fi
cd /
sync
mount -o remount,ro /
echo "@@DONE $(cut -d' ' -f1 /proc/uptime)"
poweroff -f
