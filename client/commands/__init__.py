"""The commands of `proctor`, one file per subject; importing a file registers its commands."""

from client.app import app
from client.commands import (
    account,
    asked,
    follow,
    images,
    notices,
    providers,
    receipts,
    results,
    start,
    submit,
    teams,
    tokens,
    trial,
)

__all__ = [
    "account",
    "app",
    "asked",
    "follow",
    "images",
    "notices",
    "providers",
    "receipts",
    "results",
    "start",
    "submit",
    "teams",
    "tokens",
    "trial",
]
