"""`proctor-admin adopt-secret-key`: an installation goes on with the secret key that it is now given."""

import typer

from evaluator.terminal import say
from server.evaluations.receipt_keys import replace_key
from worker.admin.context import ACTOR, make_sure, settings_of, work
from worker.admin.options import Data, Yes

app = typer.Typer()


@app.command("adopt-secret-key")
def adopt_secret_key(yes: Yes = False, data: Data = None) -> None:
    """Go on with PROCTOR_SECRET_KEY as it is now set, where the one of before is lost or known to others.

    Stop the server and the score workers first. Cases of later submissions have other pseudonyms, and later receipts
    another key; those that are signed still verify. Under 'proctor-admin up' its --new-secret-key does this.
    """
    settings = settings_of(data)
    make_sure("The installation goes on with another secret key, and the one of before is given up.", yes=yes)
    with work(settings) as session:
        changed = replace_key(session, settings, actor=ACTOR)
    say("The installation goes on with this key." if changed else "This is the key it has.")
