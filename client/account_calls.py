"""What somebody does with their account over the API: getting in, tokens, addresses, identities."""

from typing import Any

from client.connection import Connection, body
from contract.accounts import (
    AccountOut,
    AddressChange,
    AddressCode,
    AddressIn,
    Closing,
    Credentials,
    NewTokenOut,
    OpenSession,
    PasswordChange,
    PasswordResetIn,
    Registration,
    SessionOut,
    TokenIn,
    TokenOut,
)
from contract.organizers import Me
from contract.sign_in import (
    IdentityOut,
    SignInBegin,
    SignInOut,
    SignInOutcome,
    SignInRegistration,
    SignInSecret,
    WaysOut,
)


class AccountCalls(Connection):
    """One's account on one server. Every method raises `Problem` or `Unreachable`."""

    def register(self, email: str, name: str, password: str, *, setup_token: str | None = None) -> AccountOut:
        """A new account."""
        content = body(Registration, email=email, name=name, password=password, setup_token=setup_token)
        return self.post(AccountOut, "/accounts", content)

    def log_in(self, email: str, password: str) -> str:
        """The token of a new session."""
        return self.open_session(email, password).token

    def open_session(self, email: str, password: str, *, device: str | None = None) -> SessionOut:
        """A new session; `device` is what the last one answered, so that others' wrong log-ins do not count here."""
        known = {"device": device} if device else {}
        content = body(Credentials, email=email, password=password, **known)
        return self.post(SessionOut, "/sessions", content)

    def ways(self) -> WaysOut:
        """How people get in beside their passwords, and whether the server sends mail."""
        return self.get(WaysOut, "/sign-ins/ways")

    def begin_sign_in(self, provider: str, asked_by: str) -> SignInOut:
        """A log-in through a provider that waits for its person's browser."""
        return self.post(SignInOut, "/sign-ins", body(SignInBegin, provider=provider, asked_by=asked_by))

    def begin_linking(self, provider: str, asked_by: str) -> SignInOut:
        """The same, to link an identity to one's account."""
        return self.post(SignInOut, "/me/identities", body(SignInBegin, provider=provider, asked_by=asked_by))

    def sign_in_outcome(self, secret: str) -> SignInOutcome:
        """What has come of a log-in through a provider."""
        return self.post(SignInOutcome, "/sign-ins/outcome", body(SignInSecret, secret=secret))

    def register_sign_in(self, secret: str, email: str, name: str) -> SessionOut:
        """A new account for whom a provider vouched for, and its first session."""
        content = body(SignInRegistration, secret=secret, email=email, name=name)
        return self.post(SessionOut, "/sign-ins/accounts", content)

    def identities(self) -> list[IdentityOut]:
        """One's identities at providers."""
        return self.get_list(IdentityOut, "/me/identities")

    def remove_identity(self, identity_id: str) -> None:
        """Takes an identity from one's account."""
        self.request("DELETE", f"/me/identities/{identity_id}")

    def sessions(self) -> list[OpenSession]:
        """One's sessions that have not ended."""
        return self.get_list(OpenSession, "/sessions")

    def end_session(self, session_id: str) -> None:
        """Ends one of one's sessions."""
        self.request("DELETE", f"/sessions/{session_id}")

    def log_out_everywhere(self, *, and_tokens: bool = False) -> None:
        """Ends one's sessions, and API tokens too if that is asked for."""
        self.request("DELETE", "/sessions", params={"tokens": and_tokens})

    def close_account(self, password: str) -> None:
        """Closes one's account."""
        self.request("POST", "/me/close", json=body(Closing, password=password))

    def me(self) -> Me:
        """Whose token this is."""
        return self.get(Me, "/me")

    def change_password(self, old: str, new: str, *, revoke_tokens: bool = False) -> None:
        """Another password for oneself; one's other sessions end, and API tokens too if that is asked for."""
        content = body(PasswordChange, old_password=old, new_password=new, revoke_tokens=revoke_tokens)
        self.request("POST", "/me/password", json=content)

    def export_me(self) -> Any:
        """Everything that the server keeps of one."""
        return self.request("GET", "/me/export").json()

    def reset_password(self, email: str, code: str, password: str) -> None:
        """Sets a new password with a code from the organizers."""
        content = body(PasswordResetIn, email=email, code=code, password=password)
        self.request("POST", "/password-resets", json=content)

    def request_reset(self, email: str) -> None:
        """Has a code that sets a new password sent to an address, if it has an account."""
        self.request("POST", "/password-resets/requests", json=body(AddressIn, email=email))

    def send_verification(self) -> None:
        """Has a code sent to one's address that shows that mail to it reaches one."""
        self.request("POST", "/me/address-verification")

    def verify_address(self, email: str, code: str) -> None:
        """Shows with such a code that mail to an address reaches one."""
        self.request("POST", "/address-verifications", json=body(AddressCode, email=email, code=code))

    def begin_address_change(self, email: str, password: str) -> None:
        """Has a code sent to the address that one wants to have."""
        self.request("POST", "/me/address", json=body(AddressChange, email=email, password=password))

    def change_address(self, email: str, code: str) -> None:
        """Changes one's address, with the code that went to the new one."""
        self.request("PUT", "/me/address", json=body(AddressCode, email=email, code=code))

    def create_token(
        self, name: str, scopes: tuple[str, ...] = ("read", "submit"), *, days: int | None = None
    ) -> NewTokenOut:
        """A new API token; one that is made with an API token ends with it."""
        content = body(TokenIn, name=name, scopes=list(scopes), expires_in_days=days)
        return self.post(NewTokenOut, "/tokens", content)

    def tokens(self) -> list[TokenOut]:
        """One's API tokens that have not ended."""
        return self.get_list(TokenOut, "/tokens")

    def revoke_token(self, token_id: str) -> None:
        """Ends an API token."""
        self.request("DELETE", f"/tokens/{token_id}")
