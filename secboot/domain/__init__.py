"""What a libvirt domain has to be for a guest in Secure Execution mode."""
