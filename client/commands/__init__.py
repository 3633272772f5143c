"""The commands of `proctor`, one file per subject; importing a file registers its commands."""

from client.app import app
from client.commands import account, follow, submit, trial

__all__ = ["account", "app", "follow", "submit", "trial"]
