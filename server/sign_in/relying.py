"""What a provider is asked, and what of its answers is believed: OpenID Connect Core 1.0, RFC 6749, 7636 and 9207."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from server.providers import Provider
from server.sign_in.fetching import ask, failed

# Signatures that only the provider can make: none, and none with the secret that both know.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]
_FRESH = 3600.0  # seconds for which what a provider publishes of itself is kept
_KEYS_AGAIN = 30.0  # seconds after which an unknown key has the keys asked for again
_LEEWAY = 60  # seconds by which its clock may differ
_LONGEST_SUBJECT = 255


@dataclass(frozen=True)
class Claimed:
    """Who somebody is according to a provider. `subject` is theirs for ever; an address is, where it is verified."""

    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None


def _line(value: object, most: int) -> str | None:
    """What a provider says, if it is a line that can be shown."""
    return value.strip() if isinstance(value, str) and len(value) <= most and value.isprintable() else None


class RelyingParty:
    """This installation towards one provider; for one event loop. It asks nothing before somebody logs in."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    async def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to log in.

        Raises:
            BadGateway: the provider does not say where that is.
        """
        provider = self.provider
        scopes = provider.scopes or (("openid",) if provider.issuer else ())
        extra = {"nonce": nonce} if provider.issuer else {}
        return str(
            prepare_grant_uri(
                await self._endpoint("authorization_endpoint"),
                client_id=provider.client_id,
                response_type="code",
                redirect_uri=redirect_uri,
                scope=" ".join(scopes),
                state=state,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
                **extra,
            )
        )

    async def claimed(
        self, *, code: str, redirect_uri: str, nonce: str, verifier: str, issuer: str | None
    ) -> Claimed:
        """Who came back with `code`; `issuer` is what the browser said the answer is of, if it did.

        Raises:
            BadGateway: the provider does not answer, or its answer proves nothing.
        """
        if issuer is not None and self.provider.issuer not in (None, issuer):
            raise self._failed("the answer is another provider's")
        tokens = await self._tokens(code=code, redirect_uri=redirect_uri, verifier=verifier)
        if self.provider.issuer is None:
            return await self._asked_for(tokens)
        if not isinstance(tokens.get("id_token"), str):
            raise self._failed("there is no ID token in its answer; is openid among the scopes?")
        return self._claimed(await self._proven(tokens, nonce=nonce))

    async def _tokens(self, *, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        url = await self._endpoint("token_endpoint")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.provider.client_id,
        }
        try:
            secret = self.provider.secret
        except OSError:
            raise self._failed("the file of its client secret cannot be read") from None
        headers: dict[str, str] = {}
        if secret is not None and "client_secret_basic" in await self._auth_methods():
            client = ClientAuth(self.provider.client_id, secret, "client_secret_basic")
            _, headers, _ = client.prepare("POST", url, {}, "")
        elif secret is not None:
            form["client_secret"] = secret
        return self._object(await self._ask("POST", url, data=form, headers=headers))

    async def _proven(self, tokens: Mapping[str, Any], *, nonce: str) -> dict[str, Any]:
        """The claims of the ID token, once its signature, issuer, audience, times and nonce hold."""
        for keys_at_most in (_FRESH, _KEYS_AGAIN):
            try:
                keys = KeySet.import_key_set(await self._keys(keys_at_most))  # type: ignore[arg-type]
                token = jwt.decode(
                    tokens["id_token"],
                    keys,
                    registry=JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False),
                )
                options = {
                    "iss": {"essential": True, "value": self.provider.issuer},
                    "aud": {"essential": True, "value": self.provider.client_id},
                }
                params = {"nonce": nonce, "client_id": self.provider.client_id}
                if isinstance(access := tokens.get("access_token"), str):
                    params["access_token"] = access
                claims = CodeIDToken(token.claims, token.header, options, params)
                claims.validate(leeway=_LEEWAY)
                return dict(claims)
            except InvalidKeyIdError:  # its keys may have changed since
                continue
            except (JoseError, ValueError, TypeError, KeyError) as error:
                raise self._failed(f"its ID token does not hold ({type(error).__name__})") from None
        raise self._failed("its ID token is signed with a key that it does not publish")

    def _claimed(self, claims: Mapping[str, Any]) -> Claimed:
        subject = claims.get("sub")
        if (
            not isinstance(subject, str)
            or not 0 < len(subject) <= _LONGEST_SUBJECT
            or not subject.isprintable()
        ):
            raise self._failed("it names nobody")
        email = _line(claims.get("email"), 254)
        # The word alone is not enough: providers leave the claim out where nobody checked the address.
        return Claimed(
            subject,
            email.lower() if email else None,
            email is not None and claims.get("email_verified") is True,
            _line(claims.get("name"), 100),
        )

    async def _asked_for(self, tokens: Mapping[str, Any]) -> Claimed:
        """Plain OAuth 2.0: who the access token is of. What such an answer says of addresses is not proven."""
        access = tokens.get("access_token")
        if not isinstance(access, str) or not access.isascii() or not access.isprintable():
            raise self._failed("there is no access token in its answer")
        url = await self._endpoint("user_endpoint")
        user = self._object(await self._ask("GET", url, headers={"Authorization": f"Bearer {access}"}))
        subject = user.get(self.provider.subject)
        said = {"sub": str(subject) if isinstance(subject, int | str) else None}
        return self._claimed(said | {key: user.get(key) for key in ("name", "email")})

    async def _endpoint(self, name: str) -> str:
        if self.provider.issuer is None:
            return str(getattr(self.provider, name))
        found = (await self._metadata()).get(name)
        if not isinstance(found, str) or not found.startswith(("https://", "http://")):
            raise self._failed(f"it names no {name}")
        return found

    async def _auth_methods(self) -> list[Any]:
        """How the token endpoint takes the secret. Plain OAuth 2.0 says nothing, and all of it takes the form."""
        if self.provider.issuer is None:
            return []
        found = (await self._metadata()).get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return found if isinstance(found, list) else []

    async def _metadata(self) -> dict[str, Any]:
        issuer = self.provider.issuer or ""
        found = await self._published(get_well_known_url(issuer, external=True), _FRESH)
        if found.get("issuer") != issuer:
            raise self._failed("it calls itself another issuer than the one of the settings")
        return found

    async def _keys(self, at_most: float) -> dict[str, Any]:
        return await self._published(await self._endpoint("jwks_uri"), at_most)

    async def _published(self, url: str, at_most: float) -> dict[str, Any]:
        """What stands at `url`, asked for no longer than `at_most` seconds ago."""
        at, kept = self._kept.get(url, (0.0, {}))
        if not kept or time.monotonic() - at >= at_most:
            kept = self._object(await self._ask("GET", url))
            self._kept[url] = time.monotonic(), kept
        return kept

    async def _ask(self, method: str, url: str, **options: Any) -> Any:
        called = self.provider.called
        return await ask(called, method, url, named_hosts=self.provider.named_hosts, **options)

    def _object(self, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise self._failed("no object")
        return answer

    def _failed(self, why: str) -> Exception:
        return failed(self.provider.called, why)
