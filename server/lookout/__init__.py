"""What comes with time and is told when it has: ends that teams may see, phases, faults, tokens that end."""
