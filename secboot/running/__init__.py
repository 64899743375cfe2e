"""What the running system says of itself: /proc, /sys, the kernel's log, IPL parameters."""
