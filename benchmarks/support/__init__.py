"""What several benchmarks share: installations, crowds of clients, comparisons and the machine they ran on."""
