"""An evaluation's life: its status and its cases', verdicts, faults, budgets, scoring and receipts."""
