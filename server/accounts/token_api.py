"""Tokens of people and of run workers over HTTP."""

from fastapi import APIRouter

from contract.accounts import NewTokenOut, NewWorkerOut, TokenIn, TokenOut, WorkerIn
from contract.ids import TokenId
from server.accounts import tokens
from server.accounts.deps import AdminDep, RunWorkerDep, UserDep
from server.deps import SessionDep

router = APIRouter()


@router.post("/tokens", status_code=201, tags=["accounts"])
def create_token(body: TokenIn, session: SessionDep, user: UserDep) -> NewTokenOut:
    """Creates an API token; the answer is the only place that shows it.

    One that is asked for with an API token ends with that token, and no later.
    """
    token, row = tokens.create_api_token(session, user, **body.model_dump())
    return NewTokenOut.of(row, token=token)


@router.get("/tokens", tags=["accounts"])
def list_tokens(session: SessionDep, user: UserDep) -> list[TokenOut]:
    """The asker's API tokens."""
    return [TokenOut.of(row) for row in tokens.list_tokens(session, user)]


@router.delete("/tokens/{token_id}", status_code=204, tags=["accounts"])
def revoke_token(token_id: TokenId, session: SessionDep, user: UserDep) -> None:
    """Revokes an API token, and those that were made with it."""
    tokens.revoke_token(session, user, token_id)


@router.get("/worker/me", tags=["run workers"])
def run_worker(worker: RunWorkerDep) -> dict[str, str]:
    """Whose token this is, for a run worker that has just started."""
    return {"name": worker.name}


@router.post("/admin/workers", status_code=201, tags=["admin"])
def add_worker(body: WorkerIn, session: SessionDep, admin: AdminDep) -> NewWorkerOut:
    """Creates a run worker's token; the answer is the only place that shows it."""
    return NewWorkerOut(
        name=body.name, token=tokens.add_worker(session, admin, name=body.name, slots=body.slots)
    )
