"""What leaves the platform of a challenge, and what is deleted for good."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from contract.retention import EVER, DeletionKind, DeletionRules
from server.clock import now
from server.consent.api import list_versions
from server.deps import SettingsDep
from server.overview.progress import standing
from server.retention.api import list_certificates, plan_deletion
from server.web.organize.room import RoomDep
from server.web.tried import tried

router = APIRouter(prefix="/organize/{slug}/exports", include_in_schema=False)

KINDS = {
    DeletionKind.LOGS: "What containers wrote, of phases that have closed",
    DeletionKind.DATASETS: "Files of versions of the cases that nothing ran on",
    DeletionKind.REPLACED: "Outputs of evaluations in whose place others stand",
    DeletionKind.OUTPUTS: "All outputs, once the challenge is over",
    DeletionKind.IMAGES: "All images, once the challenge is over",
}


@router.get("", response_class=HTMLResponse)
def exports(room: RoomDep) -> HTMLResponse:
    """Bundles and tables to download, and the certificates of what was deleted."""
    at, challenge = now(room.session), room.challenge
    lines = [
        (name, phase, standing(phase, at, released=name in challenge.released)[0])
        for name, phase in challenge.spec.phases.items()
    ]
    return room.page(
        "exports",
        lines=lines,
        versions=list_versions(room.session, room.user, room.slug),
        certificates=list_certificates(room.session, room.user, room.slug, limit=50),
        kinds=[(kind.value, text, kind in EVER) for kind, text in KINDS.items()],
    )


@router.get("/retention", response_class=HTMLResponse)
def retention(
    room: RoomDep,
    settings: SettingsDep,
    kinds: Annotated[list[DeletionKind] | None, Query(max_length=len(DeletionKind))] = None,
    days: Annotated[int, Query(ge=0, le=36_500)] = 90,
) -> HTMLResponse:
    """What would be deleted for good, what cannot be done afterwards, and the form that deletes."""
    rules = DeletionRules(kinds=list(dict.fromkeys(kinds or EVER)), days=days)
    made = tried(lambda: plan_deletion(room.session, room.user, settings, room.slug, rules))
    return room.page(
        "retention",
        status=made.status,
        plan=made.plan,
        refused=made.refused,
        rules=rules,
        kinds=[(kind.value, text, kind in rules.kinds) for kind, text in KINDS.items()],
        words={kind.value: text for kind, text in KINDS.items()},
    )
