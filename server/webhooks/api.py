"""Endpoints of webhooks: the same four for a team, a challenge and the installation."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends

from contract.ids import EndpointId, TeamId
from contract.texts import Name
from contract.webhooks import WebhookAct, WebhookActIn, WebhookIn, WebhookOut, WebhookSecretOut
from server.accounts.deps import AdminDep, UserDep
from server.challenges.service import get_challenge
from server.deps import SessionDep, SettingsDep
from server.organizers.access import organizer_of
from server.teams.membership import require_captain
from server.webhooks import service, views
from server.webhooks.service import Owner


def team(session: SessionDep, user: UserDep, team_id: TeamId) -> Owner:
    """A team's, for its captain."""
    require_captain(session, user, team_id)
    return Owner.of(user, team_id=team_id)


def challenge(session: SessionDep, user: UserDep, slug: Name) -> Owner:
    """Those of a challenge's organizers."""
    found = get_challenge(session, slug)
    return Owner.of(user, challenge_id=organizer_of(session, user, found).challenge_id)


def installation(admin: AdminDep) -> Owner:
    """The admins'."""
    return Owner.of(admin)


def _routes(prefix: str, tag: str, owner: Callable[..., Owner]) -> APIRouter:
    router = APIRouter(prefix=prefix, tags=[tag])
    owner_dep = Depends(owner)

    @router.get("/webhooks")
    def list_webhooks(session: SessionDep, owner: Annotated[Owner, owner_dep]) -> list[WebhookOut]:
        """Webhooks, each with its latest message and what became of it."""
        return views.webhooks_out(session, service.listed(session, owner))

    @router.post("/webhooks", status_code=201)
    def add_webhook(
        session: SessionDep, settings: SettingsDep, owner: Annotated[Owner, owner_dep], body: WebhookIn
    ) -> WebhookSecretOut:
        """Adds one; its secret is shown this once."""
        private = settings.webhooks_private == "allow"
        endpoint = service.add(session, owner, url=body.url, kinds=body.kinds, private=private)
        return views.webhook_out(session, endpoint, secret=True)

    @router.post("/webhooks/{endpoint_id}")
    def act_on_webhook(
        session: SessionDep, owner: Annotated[Owner, owner_dep], endpoint_id: EndpointId, body: WebhookActIn
    ) -> WebhookSecretOut:
        """Tries it with a message, gives it a new secret, which is shown this once, or enables it again."""
        endpoint = service.act(session, owner, endpoint_id, body.act)
        return views.webhook_out(session, endpoint, secret=body.act is WebhookAct.ROTATE)

    @router.delete("/webhooks/{endpoint_id}", status_code=204)
    def remove_webhook(
        session: SessionDep, owner: Annotated[Owner, owner_dep], endpoint_id: EndpointId
    ) -> None:
        """Removes it; what waits for it is not sent."""
        service.remove(session, owner, endpoint_id)

    return router


of_team = _routes("/teams/{team_id}", "teams", team)
of_challenge = _routes("/organize/{slug}", "organizers", challenge)
of_installation = _routes("/admin", "admins", installation)
