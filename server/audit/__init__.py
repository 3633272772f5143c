"""The event log sealed: each event is a link of a chain of hashes, so that what is changed later is found."""
