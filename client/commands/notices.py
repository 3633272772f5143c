"""What one was told, which of it comes by mail, and the webhooks of one's team."""

from collections.abc import Collection
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from client.api import Client
from client.app import (
    ChallengeOption,
    JsonOption,
    TeamOption,
    app,
    choose_challenge,
    choose_team,
    chosen,
    err,
    out,
    signed_in,
)
from client.errors import WrongUsage
from client.show import notice_kinds_table
from contract.accounts import Scope
from contract.notices import NoticeKind, NoticeOut, NoticeSettingsOut
from contract.webhooks import ACTS, WebhookAct, WebhookOut
from evaluator.terminal import in_line, say_json

_SHOWN = 20


@app.command()
def notices(
    everything: Annotated[bool, typer.Option("--all", help="Also what you have read.")] = False,
    mail: Annotated[
        list[str] | None,
        typer.Option(
            help="Have a kind by mail, or not, as KIND=on or KIND=off; as often as needed.",
            metavar="KIND=on|off",
        ),
    ] = None,
    settings: Annotated[bool, typer.Option("--settings", help="Which kinds come by mail.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Read what you were told since you last looked: submissions that ended, answers, phases, decisions."""
    wanted = dict(_setting(one) for one in mail or [])
    with signed_in(mention=False) as client:
        for kind, on in wanted.items():
            client.set_notice_mail(kind, on=on)
        if settings or wanted:
            _show_settings(client.notice_settings(), as_json, wanted)
            return
        found = client.notices(unread=not everything, limit=None if everything else _SHOWN)
        if as_json:
            say_json([notice.model_dump(mode="json") for notice in found])
        else:
            _show(found)
        if found and Scope.SUBMIT in client.me().scopes:  # one that only reads changes nothing
            left = client.read_notices(found[0].id if everything else [notice.id for notice in found])
            if left:
                err.print(f"{left} older ones are not read yet: proctor notices")


def _setting(given: str) -> tuple[NoticeKind, bool]:
    name, _, value = given.partition("=")
    if value not in ("on", "off"):
        raise WrongUsage(
            f"--mail takes KIND=on or KIND=off, and not {given!r}.",
            "`proctor notices --settings` lists kinds.",
        )
    return _kind(name), value == "on"


def _kind(name: str) -> NoticeKind:
    if name not in list(NoticeKind):
        raise WrongUsage(f"There is no kind {name!r}.", f"Kinds: {', '.join(NoticeKind)}.")
    return NoticeKind(name)


def _show(found: list[NoticeOut]) -> None:
    for notice in reversed(found):
        parts = [
            f"{notice.created_at:%Y-%m-%d %H:%M} UTC",
            in_line(notice.challenge or ""),
            in_line(notice.title),
        ]
        out.print(Text(" · ".join(part for part in parts if part), style="" if notice.read_at else "bold"))
        out.print(Padding(Text(notice.text), (0, 0, 1, 4), expand=False))
    if not found:
        out.print("Nothing new. `proctor notices --all` shows what you have read.")


def _show_settings(found: NoticeSettingsOut, as_json: bool, changed: Collection[str]) -> None:
    """Every kind, or those that were changed just now."""
    if as_json:
        say_json(found.model_dump(mode="json"))
        return
    out.print(notice_kinds_table(row for row in found.kinds if not changed or row.kind in changed))
    if not found.mail_is_set_up:
        out.print("This server sends no mail: `proctor notices` shows all of it.")
    elif not found.address_verified:
        out.print("Nothing is sent to your address before it is verified: `proctor verify-address --send`.")


@app.command()
def webhooks(
    act: Annotated[str, typer.Argument(help=f"What to do: {', '.join(ACTS)}.")] = "list",
    which: Annotated[
        str, typer.Argument(help="The address to add, or an id or how it ends.", metavar="URL|ID")
    ] = "",
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only this kind, such as submission.ended; as often as needed.", metavar="KIND"),
    ] = None,
    challenge: ChallengeOption = None,
    team: TeamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have your team's news sent to a program of yours, signed. For captains."""
    if act not in ACTS or (act != "list" and not which):
        raise WrongUsage(
            "Say what to do: proctor webhooks add URL, or with the ID of one of the list.", ", ".join(ACTS)
        )
    with signed_in() as client:
        own = team or choose_team(client, choose_challenge(client, challenge).slug, None)
        if act == "add":
            made = client.add_webhook(own, which, [_kind(name) for name in kind or []])
            _show_secret(made.secret)
        elif act != "list":
            _act(client, own, act, which)
        listed = client.webhooks(own)
    if as_json:
        say_json([webhook.model_dump(mode="json") for webhook in listed])
        return
    for webhook in listed:
        _show_webhook(webhook)
    if not listed:
        out.print("Your team has no webhook.")


def _act(client: Client, team: str, act: str, which: str) -> None:
    webhook = chosen(client.webhooks(team), which, "webhook of your team")
    if act == "remove":
        client.remove_webhook(team, webhook.id)
        return
    _show_secret(client.act_on_webhook(team, webhook.id, WebhookAct(act)).secret)
    if act == WebhookAct.TEST:
        err.print("A message of type webhook.test is on its way; the list says what became of it.")


def _show_secret(secret: str | None) -> None:
    if secret is not None:
        out.print(f"Secret: {in_line(secret)}", soft_wrap=True)
        err.print("It is shown this once. Messages are signed with it, see docs/notices.md.")


def _show_webhook(webhook: WebhookOut) -> None:
    kinds = ", ".join(webhook.kinds) or "everything"
    out.print(f"{in_line(webhook.id)}  {in_line(webhook.url)}  ({in_line(kinds)})", soft_wrap=True)
    said = []
    if webhook.disabled_why:
        said.append(f"disabled: {webhook.disabled_why}")
    elif webhook.failing_since:
        said.append(f"takes nothing since {webhook.failing_since:%Y-%m-%d %H:%M} UTC")
    if webhook.last:
        last = webhook.last
        error = f": {last.error.rstrip('.')}." if last.error else ""
        again = f" It is tried at {last.next_at:%H:%M:%S} UTC." if last.next_at else ""
        said.append(
            f"last message {last.status.replace('_', ' ')}, {last.at:%Y-%m-%d %H:%M} UTC{error}{again}"
        )
    for line in said:
        out.print(f"    {in_line(line)}", soft_wrap=True)
