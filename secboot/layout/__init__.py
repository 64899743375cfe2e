"""How each distribution configures the boot: one room for each."""
