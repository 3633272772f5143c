"""What an installation has that a restored one has to have too, and what a restored one begins with."""
