"""Importing published results over HTTP, for admins."""

from fastapi import APIRouter

from contract.problems import ErrorCode
from contract.published import ResultsImported, ResultsIn
from contract.texts import Name
from server.accounts.deps import AdminDep
from server.deps import SessionDep, SettingsDep
from server.errors import Unprocessable
from server.plans import access
from server.plans import service as plans
from server.showcases.service import import_results

router = APIRouter(tags=["challenges", "admin"])


@router.post("/admin/challenges/{slug}/results")
def post_results(
    session: SessionDep, admin: AdminDep, settings: SettingsDep, slug: Name, body: ResultsIn
) -> ResultsImported:
    """Show published results as the leaderboard of a phase that is over, with its challenge where that is new.

    422 names every mistake of the file of results in `problems`, with line and column; nothing is imported then. The
    same results again change nothing; others are refused unless they are to `replace` them.
    """
    spec = plans.read(body.file, body.overlay, settings=settings, code=access.code_of(session, admin))
    if spec.challenge != slug:
        detail = f"The challenge file is that of {spec.challenge}, and the address names {slug}."
        raise Unprocessable(ErrorCode.CHALLENGE_FILE, detail, problems=[])
    results, changed = import_results(
        session,
        admin,
        spec,
        body.results,
        phase=body.phase,
        source=body.source,
        replace=body.replace,
        why=body.why,
        settings=settings,
    )
    content = results.content
    return ResultsImported(
        challenge=slug,
        phase=results.phase,
        changed=changed,
        digest=results.digest,
        teams=len(content.teams),
        values=content.values,
    )
