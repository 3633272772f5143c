"""The server's API as a Python client."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence

from client.account_calls import AccountCalls
from client.connection import body, not_proctor, read
from contract.agreements import AgreementOut
from contract.challenges import ChallengeDetail, ChallengeOut
from contract.evaluations import CaseOut, ReceiptKeyOut, ReceiptOut
from contract.images import ImageOut, StorageOut
from contract.leaderboard import LeaderboardOut
from contract.notices import NoticeOut, NoticeSettingIn, NoticeSettingsOut, ReadIn, UnreadOut
from contract.phases import AmendmentOut
from contract.questions import QuestionIn, QuestionOut
from contract.submissions import AttemptMovesOut, EvaluationOut, QuotaOut, SubmissionIn, SubmissionOut
from contract.teams import InvitationIn, InvitationOut, MyTeamOut, NewInvitationOut, TeamIn
from contract.uploads import UploadOut
from contract.webhooks import WebhookAct, WebhookActIn, WebhookIn, WebhookOut, WebhookSecretOut

_PAGE = 100
_CASES = 200  # that one page has: the most that the server gives


class Client(AccountCalls):
    """The operations of one server, with or without a token. Every method raises `Problem` or `Unreachable`."""

    def challenges(self) -> list[ChallengeOut]:
        """Every challenge on the server."""
        return self.get_list(ChallengeOut, "/challenges")

    def challenge(self, slug: str) -> ChallengeDetail:
        """One challenge; its whole file is under `spec`."""
        response = self.request("GET", f"/challenges/{slug}")
        challenge = read(ChallengeDetail, response)
        if not all(isinstance(challenge.spec.get(part), dict) for part in ("tasks", "boards", "phases")):
            raise not_proctor(response)
        return challenge

    def agreements(self, slug: str) -> list[AgreementOut]:
        """The present version of each document of a challenge, and when one accepted it."""
        return self.get_list(AgreementOut, f"/challenges/{slug}/agreements")

    def agreement_text(self, slug: str, digest: str) -> str:
        """The text of a version, which is held against its digest.

        Raises:
            Unreachable: it is another text.
        """
        response = self.request("GET", f"/challenges/{slug}/agreements/{digest}")
        if "sha256:" + hashlib.sha256(response.content).hexdigest() != digest:
            raise not_proctor(response)
        return response.content.decode(errors="replace")

    def accept(self, slug: str, digest: str) -> AgreementOut:
        """Accepts the present version of a document, for oneself."""
        return self.post(AgreementOut, f"/challenges/{slug}/agreements/{digest}/accept")

    def ask(
        self,
        slug: str,
        text: str,
        *,
        team: str | None = None,
        task: str | None = None,
        submission: str | None = None,
    ) -> QuestionOut:
        """Asks the organizers, for one's team."""
        content = body(QuestionIn, text=text, team=team, task=task, submission=submission)
        return self.post(QuestionOut, f"/challenges/{slug}/questions", content)

    def questions(self, slug: str) -> list[QuestionOut]:
        """What was announced or answered to everybody, and what one's team asked, newest first."""
        return self.get_pages(QuestionOut, f"/challenges/{slug}/questions", cursor="before", size=_PAGE)

    def unread_notices(self) -> int:
        """How many notices one has not read."""
        return self.get(UnreadOut, "/notices/unread").unread

    def notices(self, *, unread: bool, limit: int | None) -> list[NoticeOut]:
        """What one was told, newest first: `limit` of it, or all page by page."""
        if limit is None:
            return self.get_pages(NoticeOut, "/notices", cursor="before", size=_PAGE, unread=unread)
        return self.get_list(NoticeOut, "/notices", unread=unread, limit=limit)

    def read_notices(self, which: str | list[str]) -> int:
        """Says that one has read these, or all up to one; how many are left."""
        named = {"until": which} if isinstance(which, str) else {"ids": which}
        return self.post(UnreadOut, "/notices/read", body(ReadIn, **named)).unread

    def notice_settings(self) -> NoticeSettingsOut:
        """Which notices come by mail."""
        return self.get(NoticeSettingsOut, "/notices/settings")

    def set_notice_mail(self, kind: str, *, on: bool) -> None:
        """Has a kind come by mail, or not."""
        self.request("PUT", f"/notices/settings/{kind}", json=body(NoticeSettingIn, mail=on))

    def webhooks(self, team_id: str) -> list[WebhookOut]:
        """A team's webhooks."""
        return self.get_list(WebhookOut, f"/teams/{team_id}/webhooks")

    def add_webhook(self, team_id: str, url: str, kinds: Sequence[str]) -> WebhookSecretOut:
        """A new webhook of a team, with its secret."""
        content = body(WebhookIn, url=url, kinds=list(kinds))
        return self.post(WebhookSecretOut, f"/teams/{team_id}/webhooks", content)

    def act_on_webhook(self, team_id: str, webhook_id: str, act: WebhookAct) -> WebhookSecretOut:
        """Tries a webhook, gives it a new secret, or enables it."""
        content = body(WebhookActIn, act=act)
        return self.post(WebhookSecretOut, f"/teams/{team_id}/webhooks/{webhook_id}", content)

    def remove_webhook(self, team_id: str, webhook_id: str) -> None:
        """Removes a webhook."""
        self.request("DELETE", f"/teams/{team_id}/webhooks/{webhook_id}")

    def amendments(self, slug: str, *, limit: int) -> list[AmendmentOut]:
        """What the organizers changed of a challenge after people could rely on it, newest first."""
        return self.get_list(AmendmentOut, f"/challenges/{slug}/amendments", limit=limit)

    def create_team(self, slug: str, name: str) -> MyTeamOut:
        """Founds a team."""
        return self.post(MyTeamOut, f"/challenges/{slug}/teams", body(TeamIn, name=name))

    def team(self, team_id: str) -> MyTeamOut:
        """A team of one's own, by its id."""
        return self.get(MyTeamOut, f"/teams/{team_id}")

    def leave_team(self, team_id: str) -> None:
        """Takes oneself out of a team."""
        self.request("DELETE", f"/teams/{team_id}/members/me")

    def my_team(self, slug: str) -> MyTeamOut:
        """One's own team in a challenge."""
        return self.get(MyTeamOut, f"/challenges/{slug}/teams/mine")

    def invite(self, team_id: str, *, days: int | None = None) -> str:
        """An invitation's code."""
        content = body(InvitationIn, expires_in_days=days) if days is not None else None
        return self.post(NewInvitationOut, f"/teams/{team_id}/invitations", content).code

    def invitations(self, team_id: str) -> list[InvitationOut]:
        """A team's open invitations."""
        return self.get_list(InvitationOut, f"/teams/{team_id}/invitations")

    def revoke_invitation(self, team_id: str, invitation_id: str) -> None:
        """Takes an invitation back."""
        self.request("DELETE", f"/teams/{team_id}/invitations/{invitation_id}")

    def accept_invitation(self, code: str) -> MyTeamOut:
        """Joins a team."""
        return self.post(MyTeamOut, f"/invitations/{code}/accept")

    def remove_image(self, team_id: str, digest: str) -> None:
        """Takes an image from a team."""
        self.request("DELETE", f"/teams/{team_id}/images/{digest}")

    def storage(self, team_id: str) -> StorageOut:
        """What a team stores and may store."""
        return self.get(StorageOut, f"/teams/{team_id}/storage")

    def stored_images(self, team_id: str) -> list[ImageOut]:
        """The images a team has on the server, newest first."""
        return self.get_pages(ImageOut, f"/teams/{team_id}/images", cursor="after", size=_PAGE)

    def uploads(self, team_id: str) -> list[UploadOut]:
        """A team's latest uploads, newest first."""
        return self.get_list(UploadOut, f"/teams/{team_id}/uploads")

    def upload(self, upload_id: str) -> UploadOut:
        """The state of an upload."""
        return self.get(UploadOut, f"/uploads/{upload_id}")

    def submit(
        self,
        slug: str,
        *,
        team: str,
        track: str,
        phase: str,
        images: Mapping[str, str],
        key: str | None = None,
        source: Mapping[str, str | bool | None] | None = None,
    ) -> SubmissionOut:
        """Submits an image digest per task. The same `key` twice is one submission.

        source: the git commit that the images were made of, and whether its tree was clean.
        """
        made_of = {} if source is None else {"source": dict(source)}
        content = body(SubmissionIn, team=team, track=track, phase=phase, images=dict(images), **made_of)
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return self.post(SubmissionOut, f"/challenges/{slug}/submissions", content, headers=headers)

    def submission(self, submission_id: str) -> SubmissionOut:
        """A submission and its evaluations."""
        return self.get(SubmissionOut, f"/submissions/{submission_id}")

    def cases(self, evaluation_id: str) -> list[CaseOut]:
        """Every case of an evaluation with its verdict and the end of its log; of a phase with public cases only."""
        return self.get_pages(CaseOut, f"/evaluations/{evaluation_id}/cases", cursor="after", size=_CASES)

    def case(self, evaluation_id: str, case_id: str) -> CaseOut:
        """One case of an evaluation with all of its log; of a phase with public cases only."""
        return self.get(CaseOut, f"/evaluations/{evaluation_id}/cases/{case_id}")

    def receipt(self, evaluation_id: str) -> ReceiptOut:
        """The receipt of one's scored evaluation."""
        return self.get(ReceiptOut, f"/evaluations/{evaluation_id}/receipt")

    def receipt_keys(self) -> list[ReceiptKeyOut]:
        """Every public key that the server signs or signed receipts with."""
        return self.get_list(ReceiptKeyOut, "/receipts/keys")

    def cancel(self, evaluation_id: str) -> EvaluationOut:
        """Withdraws an evaluation that has not ended; its attempt is given back."""
        return self.post(EvaluationOut, f"/evaluations/{evaluation_id}/cancel")

    def submissions(self, slug: str, team: str) -> list[SubmissionOut]:
        """A team's submissions, newest first: all of them, page by page."""
        path = f"/challenges/{slug}/submissions"
        return self.get_pages(SubmissionOut, path, cursor="before", size=_PAGE, team=team)

    def newest_submission(self, slug: str, team: str) -> SubmissionOut | None:
        """A team's latest submission, if it has any."""
        newest = self.get_list(SubmissionOut, f"/challenges/{slug}/submissions", team=team, limit=1)
        return next(iter(newest), None)

    def quota(self, slug: str, team: str) -> list[QuotaOut]:
        """What is left of a team's attempts."""
        return self.get_list(QuotaOut, f"/challenges/{slug}/quota", team=team)

    def attempts(self, team_id: str, **where: str) -> AttemptMovesOut:
        """The moves of a team's attempts, newest first; `where`: of one phase, track or task."""
        return read(AttemptMovesOut, self.request("GET", f"/teams/{team_id}/attempts", params=where))

    def leaderboard(self, slug: str, phase: str) -> LeaderboardOut:
        """The leaderboards of a phase."""
        return self.get(LeaderboardOut, f"/challenges/{slug}/leaderboards/{phase}")
