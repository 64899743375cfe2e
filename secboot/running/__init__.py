"""What the running system reports about itself: /proc, /sys, the kernel's log, IPL parameters."""
