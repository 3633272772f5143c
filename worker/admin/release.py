"""`proctor-admin release`: the sealed leaderboard of a phase opens to everybody."""

from collections.abc import Sequence
from typing import Annotated

import typer

from evaluator.terminal import say
from server.challenges.service import get_challenge, is_sealed, release
from server.leaderboard.release import obstacles
from worker.admin.context import ACTOR, fail, make_sure, settings_of, work
from worker.admin.options import Data

app = typer.Typer()


@app.command("release")
def release_board(
    challenge: Annotated[str, typer.Argument(help="The challenge's name.")],
    phase: Annotated[str, typer.Argument(help="The phase whose leaderboard opens.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the board is not final; needs --why.")
    ] = False,
    why: Annotated[
        str | None,
        typer.Option(help="Why it opens before it is final; the board shows it.", metavar="REASON"),
    ] = None,
    data: Data = None,
) -> None:
    """Open the sealed leaderboard of PHASE to everybody; there is no way back, so it asks first.

    It refuses while the board is not final: the phase is open, evaluations have not ended, or one that the platform
    failed at was not run again.
    """
    reason = (why or "").strip()
    with work(settings_of(data)) as session:
        row = get_challenge(session, challenge)
        if is_sealed(row, phase):
            early = obstacles(session, row, phase)
            if early and not (force and reason):
                fail(_refusal(challenge, phase, early, force=force))
            listed = "".join(f"\n  {reason}" for reason in early)
            make_sure(
                f"{challenge} {phase}: everybody will see this leaderboard; there is no way back.{listed}",
                yes=yes,
            )
            release(session, row, phase, actor=ACTOR, why=reason if early else None)
        else:
            release(session, row, phase, actor=ACTOR)
    say(f"{challenge} {phase}: released")


def _refusal(challenge: str, phase: str, early: Sequence[str], *, force: bool) -> str:
    listed = "\n".join(f"  {reason}" for reason in early)
    what = "--force needs --why REASON" if force else "To open it all the same give --force --why REASON"
    return f"{challenge} {phase} is not final:\n{listed}\n{what}; the board shows the reason."
