"""Results that were published elsewhere: values and ranks without cases, kept as they were read."""
