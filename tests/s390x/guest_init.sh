#!/bin/sh
# /sbin/init of the guest: nothing but the job.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
exec /usr/sbin/guest-job
