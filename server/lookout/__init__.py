"""What comes with time and is told when it has: ends that teams may see by now, phases that open and close, faults."""
