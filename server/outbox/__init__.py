"""What leaves the platform by mail or webhook: kept with what caused it, delivered later by the courier."""
