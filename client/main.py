"""The `proctor` command."""

import sys

_EXTRA = {"httpx", "platformdirs"}


def main() -> None:
    """Runs the command line and leaves the process with its exit code."""
    try:
        from client.commands import app
    except ModuleNotFoundError as error:  # the evaluator can be installed without the client's libraries
        if error.name not in _EXTRA:
            raise
        sys.exit(f"`proctor` needs {error.name}; install it with: pip install 'proctor[client]'")
    except KeyboardInterrupt:  # the libraries take a second to load, and nothing has begun yet
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    app(prog_name="proctor")


if __name__ == "__main__":
    main()
