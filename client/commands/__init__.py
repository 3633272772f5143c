"""The commands of `proctor`, one file per subject; importing a file registers its commands."""

from client.app import app
from client.commands import account, follow, images, results, submit, tokens, trial

__all__ = ["account", "app", "follow", "images", "results", "submit", "tokens", "trial"]
