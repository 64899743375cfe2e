"""Make a plan from a profile's requirements and from what was found; no effects."""
