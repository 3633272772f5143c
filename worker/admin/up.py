"""`proctor-admin up`: the whole platform on this machine, in one terminal."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from evaluator.terminal import Console
from server.settings import checked_url
from worker.admin._restoring import unfinished
from worker.admin.bucket_told import REMEDY, note_bucket, untold
from worker.admin.platform import Platform, SecretKey, WorkerToken, services
from worker.admin.secret_key import check_secret_key
from worker.admin.tokens import local_worker_token
from worker.embedded.account import SetupError
from worker.embedded.data import data_directory, prepare
from worker.embedded.process import ServiceError
from worker.supervisor import Supervisor

app = typer.Typer()


@app.command("up")
def up(
    run_workers: Annotated[
        int, typer.Option(min=0, help="Run workers, each a slot with an equal share of cores and memory.")
    ] = 2,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the server; 0 takes a free one.")
    ] = 8426,
    host: Annotated[str, typer.Option(help="Address the server listens on.")] = "127.0.0.1",
    public_url: Annotated[
        str | None,
        typer.Option(
            help="Address that people reach the server at, such as https://challenge.example; pages name it.",
            envvar="PROCTOR_PUBLIC_URL",
        ),
    ] = None,
    redis_host: Annotated[
        str, typer.Option(help="Address Redis listens on; another one lets run workers of other hosts in.")
    ] = "127.0.0.1",
    redis_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of Redis, kept from then on; 0 is the one it had.")
    ] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Where everything is kept.", envvar="PROCTOR_DATA")
    ] = None,
    new_secret_key: Annotated[
        bool,
        typer.Option("--new-secret-key", help="Go on with another secret key than before, if that is lost."),
    ] = False,
) -> None:
    """Run database, broker, server, beat and workers here until Ctrl-C.

    Nothing has to be installed or configured; passwords and keys are made on first use.
    """
    console = Console(stderr=True)
    directory = data.absolute() if data else data_directory()
    try:
        platform = Platform.on(
            directory,
            host=host,
            port=port,
            run_workers=run_workers,
            public_url=public_address(public_url),
            redis_host=redis_host,
            redis_port=redis_port,
        )
        serve(
            platform,
            console.print,
            local_worker_token,
            lambda started: check_secret_key(started, replace=new_secret_key),
        )
    except (SetupError, ServiceError) as error:
        console.print(str(error), style="red", soft_wrap=True)
        raise typer.Exit(1) from error


def public_address(public_url: str | None) -> str | None:
    """The address as the server takes it; raises `SetupError` where it would refuse it."""
    try:
        return checked_url(public_url) if public_url else None
    except ValueError as error:
        raise SetupError(f"--public-url (or PROCTOR_PUBLIC_URL) {error}; it is {public_url!r}.") from None


def serve(
    platform: Platform,
    announce: Callable[[str], None],
    worker_token: WorkerToken | None = None,
    secret_key: SecretKey | None = None,
) -> None:
    """Run the platform until SIGTERM or SIGINT; from the main thread only.

    While it is up, the file `address` in the data directory holds the server's address.
    Raises `SetupError` or `ServiceError` where it does not come up; what had started is stopped then.
    """
    if (said := unfinished(platform.data)) is not None:
        raise SetupError(said)
    prepare(platform.data)
    _require_alone(platform)
    if (said := untold(platform.data)) is not None:
        raise SetupError(f"{said} {REMEDY}")
    written = False

    def ready() -> None:
        nonlocal written
        # Whoever waits for the file must not find it empty.
        fresh = platform.address_file.with_name(".address")
        fresh.write_text(platform.server_url + "\n")
        fresh.replace(platform.address_file)
        platform.redis_address_file.write_text(f"{platform.redis.host}:{platform.redis.port}\n")
        note_bucket(platform.data)
        written = True
        announce(f"Proctor listens on {platform.server_url}")
        if platform.public_url is None:
            announce(
                "Pages do not name the server's address: say with --public-url how people reach it from outside."
            )

    try:
        Supervisor(services(platform, worker_token, secret_key), announce).run(ready)
    finally:
        if written:  # what stands there otherwise is another one's
            platform.address_file.unlink(missing_ok=True)
            platform.redis_address_file.unlink(missing_ok=True)


def _require_alone(platform: Platform) -> None:
    """Raise `SetupError` where another `up` holds this directory, before anything starts or says a word."""
    lock = platform.data / "postgres.lock"
    if not lock.exists():
        return
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            there = platform.address_file
            where = f" at {there.read_text().strip()}" if there.is_file() else ""
            raise SetupError(
                f"Proctor already runs on {platform.data}{where}. "
                "Stop it, or choose another directory with --data or PROCTOR_DATA."
            ) from None
