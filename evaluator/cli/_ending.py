"""How a command ends that cannot do what was asked: one sentence on standard error, and a code."""

import typer


def ended(error: Exception, code: int) -> typer.Exit:
    """Says `error` and gives the exit to raise; of the system's errors it names the file and what is the matter."""
    typer.echo(_sentence(error), err=True)
    return typer.Exit(code)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
