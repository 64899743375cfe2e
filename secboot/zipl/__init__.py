"""How zipl interprets zipl.conf and the Boot Loader Specification entries; no side effects."""
