"""The event stream of a submission."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from contract.ids import SubmissionId
from server.accounts.deps import UserDep
from server.deps import SessionDep
from server.front.protocol import ENDS_AT_ONCE
from server.live.hub import LONGEST_SECONDS, Hub
from server.live.reading import Reader, State
from server.submissions.service import get_submission
from server.submissions.views import submission_out

router = APIRouter(tags=["submissions"])

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies shall keep nothing back
_EVENTS = {
    "description": "Server-sent events: `state`, whose data is the answer of GET of the submission and whose id is the "
    "same for the same state, and `end`; a comment each 15 seconds",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _EVENTS,
    204: {"description": "It has ended, and `Last-Event-ID` is its last state: there is nothing to come"},
}


class _Events(StreamingResponse):
    media_type = "text/event-stream"


def _present(session: SessionDep, user: UserDep, submission_id: SubmissionId) -> tuple[Reader, State]:
    """Who reads, and what there is to be read now."""
    submission = get_submission(session, user, submission_id)
    return Reader.of(user, submission_id), State.of(submission_out(session, submission))


@router.get("/submissions/{submission_id}/events", response_class=_Events, responses=_ANSWERS)
async def get_events(
    request: Request,
    present: Annotated[tuple[Reader, State], Depends(_present)],
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
    seconds: Annotated[int, Query(ge=0, le=LONGEST_SECONDS)] = LONGEST_SECONDS,
) -> Response:
    """Each new state of a submission until it has ended, as server-sent events; the first at once.

    With the `Last-Event-ID` of an earlier stream, of whatever server, the state with that id is not sent again. The
    stream ends after `seconds`, and when its reader may not see the submission any more: open it again.
    """
    hub: Hub = request.app.state.hub
    reader, state = present
    if state.ended and state.id == last_event_id:
        return Response(status_code=204)
    hub.require_room(reader.user)
    request.scope[ENDS_AT_ONCE] = True
    return _Events(hub.events(reader, state, seen=last_event_id, seconds=seconds), headers=_HEADERS)
