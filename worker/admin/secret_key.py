"""The installation's secret key at a start: the one its database knows, unless another is asked for."""

import secrets

from pydantic import SecretStr

from server.database import unit_of_work
from server.errors import Conflict
from server.evaluations.receipt_keys import replace_key, require_own_key
from server.settings import Settings
from server.tables import open_database
from worker.admin.platform import Platform
from worker.embedded.account import SetupError
from worker.embedded.data import store_secret

_GO_ON = (
    "Pseudonyms and the signatures of receipts come from it, so it is not replaced in silence. Put secrets/secret_key "
    "back from the backup. If it is lost for good, go on with another one: proctor-admin up --new-secret-key. "
    "Receipts that are signed stay verifiable (GET /api/v1/receipts/keys)."
)


def check_secret_key(platform: Platform, *, replace: bool = False) -> None:
    """Makes the secret key at the first start, and from then on requires it; `replace`: goes on with another.

    With `replace`, the key in secrets/ is taken if it is another one than before, and made where the file is missing.

    Raises:
        SetupError: the key is missing, or is not the one that the database knows. Nothing is changed then.
    """
    path = platform.data / "secrets" / "secret_key"
    lost = not path.exists()
    key = secrets.token_urlsafe(32) if lost else path.read_text().strip()
    settings = Settings.model_validate(
        {"data": platform.data, "secret_key": SecretStr(key), "DATABASE_URL": platform.postgres.url()}
    )
    sessions = open_database(settings.database_url, pool_size=1)
    try:
        with unit_of_work(sessions) as session:
            if replace:
                replace_key(session, settings, actor="proctor-admin")
            require_own_key(session, settings)
            if lost:
                store_secret(platform.data, "secret_key", key)
    except Conflict:
        what = "is missing" if lost else "is not the key that this installation works with"
        raise SetupError(f"{path} {what}. {_GO_ON}") from None
    finally:
        sessions.kw["bind"].dispose()
