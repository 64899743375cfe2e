"""What a libvirt domain must have for a guest in Secure Execution mode."""
