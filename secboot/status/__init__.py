"""How far the requirements of a profile have progressed, stage by stage."""
