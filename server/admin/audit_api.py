"""The chain over the event log, over HTTP for admins."""

from typing import Annotated

from fastapi import APIRouter, Query

from contract.audit import AuditOut, BreakOut, HeadOut
from contract.texts import Line
from server.accounts.deps import AdminDep
from server.audit.chain import Head
from server.audit.checking import check
from server.audit.service import head
from server.deps import SessionDep, SettingsDep
from server.evaluations.heads import signed

router = APIRouter(prefix="/admin/audit", tags=["admin"])

_Head = Annotated[str, Line(100)]
_MOST = 50


@router.get("")
def verify_audit(
    session: SessionDep,
    settings: SettingsDep,
    admin: AdminDep,
    since: Annotated[
        _Head | None, Query(alias="from", description="Only what follows this head, which is taken for right")
    ] = None,
    anchor: Annotated[
        list[_Head] | None, Query(max_length=_MOST, description="Heads that were told, as releases tell them")
    ] = None,
) -> AuditOut:
    """Compute the chain over the event log anew: what was changed, removed or inserted, and since which head."""
    heads = [Head.read(text) for text in anchor or ()]
    found = check(session, since=None if since is None else Head.read(since), anchors=heads)
    return AuditOut.of(
        found,
        sound=not found.broken,
        head=signed(found.head, settings),
        places=[BreakOut.of(place) for place in found.places],
    )


@router.get("/head")
def get_audit_head(session: SessionDep, settings: SettingsDep, admin: AdminDep) -> HeadOut:
    """The last link of the chain, signed: keep it elsewhere, and the past up to it cannot be changed unnoticed."""
    return signed(head(session), settings)
