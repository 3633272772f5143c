"""The `proctor` command."""

from client.app import app
from client.commands import account, follow, submit, trial

__all__ = ["account", "app", "follow", "main", "submit", "trial"]


def main() -> None:
    """Runs the command line and leaves the process with its exit code."""
    app(prog_name="proctor")


if __name__ == "__main__":
    main()
