"""How far the requirements of a profile have got, stage by stage."""
