"""How long secboot takes, and how much memory: ``python -m benchmarks`` prints the table.

Whole processes are measured as a user starts them. All commands of a group run in turn, round
after round (A B C A B C ...), and each is compared with the others of the same round, so that a
machine that gets slower meanwhile slows all of them. Printed are medians, and half of the range
between the quartiles as the spread.
"""
