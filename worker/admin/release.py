"""`proctor-admin release` and `unrelease`: a leaderboard opens to everybody, and shuts again."""

from typing import Annotated, Any

import typer

from contract.phases import CheckState
from evaluator.terminal import in_line, say
from worker.admin.api import api
from worker.admin.context import fail, make_sure
from worker.admin.options import AsJson, ChallengeArgument, Data, PhaseArgument, Server, Why, Yes
from worker.admin.tables import Listing, show, show_json

app = typer.Typer()


@app.command("release")
def release_board(
    challenge: ChallengeArgument,
    phase: PhaseArgument,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the board is not final; needs --why.")
    ] = False,
    why: Why = None,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Open the sealed leaderboard of PHASE to everybody, or thaw a frozen one.

    It goes through a list first, and refuses while the board is not final: the phase is open, evaluations have not
    ended, one that the platform failed at was not run again, or labels are not those that were committed to.
    """
    path, reason = f"/organize/{challenge}/phases/{phase}/release", (why or "").strip() or None
    with api(server=server, data=data) as here:
        found = here.get(path)
        if not as_json:
            _show(found)
        early = [check["found"] for check in found["checks"] if check["state"] == CheckState.ERROR]
        if found["hidden"] and early and not (force and reason):
            fail(_refusal(challenge, phase, early, force=force))
        if found["hidden"]:
            make_sure(
                f"{challenge} {phase}: everybody will see this leaderboard, and read of it among the amendments.",
                yes=yes,
            )
        found = here.post(path, {"force": force, "why": reason})
    if as_json:
        show_json(found)
    else:
        say(
            f"{challenge} {phase}: released; 'proctor-admin unrelease' takes it back, without a reason until "
            f"{found['take_back_until']}",
            f"The audit chain's head, which 'proctor-admin audit verify --anchor' takes: {found['audit']['text']}",
        )


@app.command("unrelease")
def take_back(
    challenge: ChallengeArgument,
    phase: PhaseArgument,
    why: Why = None,
    yes: Yes = False,
    as_json: AsJson = False,
    server: Server = None,
    data: Data = None,
) -> None:
    """Shut a released leaderboard again: for some minutes as it is, later with a reason that everybody reads."""
    with api(server=server, data=data) as here:
        if not here.get(f"/organize/{challenge}/phases/{phase}/release")["hidden"]:
            make_sure(
                f"{challenge} {phase}: nobody but organizers will see this leaderboard; some have seen it.",
                yes=yes,
            )
        found = here.post(
            f"/organize/{challenge}/phases/{phase}/unrelease", {"why": (why or "").strip() or None}
        )
    if as_json:
        show_json(found)
    else:
        say(f"{challenge} {phase}: taken back")


def _show(found: dict[str, Any]) -> None:
    table = Listing(("check", "", "found"), prose=frozenset({"found"}))
    for check in found["checks"]:
        table.add(check["check"], check["state"], check["found"])
    show(table)
    say(*(in_line(award) for award in found["awards"]))


def _refusal(challenge: str, phase: str, early: list[str], *, force: bool) -> str:
    listed = "\n".join(f"  {in_line(reason)}" for reason in early)
    what = "--force needs --why REASON" if force else "To open it all the same give --force --why REASON"
    return f"{challenge} {phase} is not final:\n{listed}\n{what}; the board shows the reason."
