"""The commands of `proctor`, one file per subject; importing a file registers its commands."""
