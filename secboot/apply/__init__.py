"""The flows that change a machine: apply, rollback, recover."""
