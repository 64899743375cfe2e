"""What zipl makes of zipl.conf and the Boot Loader Specification entries; pure."""
