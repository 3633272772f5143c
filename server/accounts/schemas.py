"""What account endpoints take where a name has to look like one."""

from typing import Annotated

from pydantic import AfterValidator

from contract import accounts, sign_in
from contract.texts import Line
from server.names import display_name

Name = Annotated[str, Line(100, least=1, strip=True), AfterValidator(display_name)]
"""The name of a person."""


class Registration(accounts.Registration):
    """A new account; `setup_token` makes it the first admin, who may have a name that others may not."""

    name: Name


class SignInRegistration(sign_in.SignInRegistration):
    """A new account without a password, for the identity that a provider just vouched for."""

    name: Name
