"""What forms of pages send becomes requests of the API, and its answers pages: one logic for programs and people."""
