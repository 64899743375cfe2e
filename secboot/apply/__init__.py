"""The flows that change a machine: apply, rollback, recovery."""
