"""A small OpenID provider: real HTTP on the loopback interface, real keys.

It holds what a provider has to: a registered redirect address, the client's secret, PKCE, and that a code is used once.
"""

import base64
import hashlib
import html
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "hwbc", "the-secret-of-this-service"


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Provider:
    """One issuer. The tests change `says` (claims of whoever signs in there) and `lies`."""

    def __init__(self, redirect_uri: str, *, asks: bool = False) -> None:
        self.redirect_uri = redirect_uri
        self.asks = asks  # shows a page with a button, as to a person; otherwise signs in at once
        self.says: dict[str, Any] = {}
        self.more: dict[str, Any] = {}  # what is said only when it is asked (userinfo)
        self.lies: set[str] = set()
        self.asked: list[dict[str, str]] = []  # the parameters with which people were sent here
        self.fetched: list[str] = []  # the paths that the service has asked for itself
        self.codes: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.thread = Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        """It is away from now on."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def visit(self, address: str) -> str:
        """As a browser that is sent here: where it is sent on to."""
        try:
            build_opener(_Stay).open(address)
        except HTTPError as answer:
            with answer:
                if answer.code == 302:
                    return str(answer.headers["Location"])
                raise AssertionError(f"The provider says {answer.code}: {answer.read().decode()}") from None
        raise AssertionError("The provider sends nobody on.")

    # --- What it answers ----------------------------------------------------------------------------------------------

    def discovery(self) -> dict[str, Any]:
        """Its discovery document."""
        return {
            "issuer": "http://127.0.0.1:1" if "another issuer" in self.lies else self.issuer,
            "authorization_endpoint": (
                f"{self.issuer.replace('127.0.0.1', 'localhost')}/authorize"
                if "another origin" in self.lies
                else f"{self.issuer}/authorize"
            ),
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def jwks(self) -> dict[str, Any]:
        """Its public key."""
        public = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def consent(self, asked: dict[str, str]) -> str:
        """Somebody signs in: where they are sent."""
        state = {"state": asked["state"]}
        if "denies" in self.lies:
            return f"{self.redirect_uri}?{urlencode({'error': 'access_denied', **state})}"
        if "fails" in self.lies:
            return f"{self.redirect_uri}?{urlencode({'error': 'server_error', **state})}"
        code = token_urlsafe(16)
        self.codes[code] = {**asked, "says": dict(self.says)}
        return f"{self.redirect_uri}?{urlencode({'code': code, **state})}"

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Tokens for a code: once, to the client whose it is."""
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or form.get("redirect_uri") != self.redirect_uri
            or asked["code_challenge"] != challenge.rstrip(b"=").decode()
        ):
            return 400, {"error": "invalid_grant"}
        access = token_urlsafe(16)
        self.tokens[access] = {**asked["says"], **self.more}
        return 200, {
            "access_token": access,
            "token_type": "Bearer",
            "id_token": self.id_token(asked),
        }

    def id_token(self, asked: dict[str, Any]) -> str:
        """The ID token, wrong in what it is to be wrong in."""
        lies, now = self.lies, time.time()
        claims = {
            "iss": "http://127.0.0.1:1" if "issuer" in lies else self.issuer,
            "aud": "another-service" if "audience" in lies else CLIENT,
            "iat": now - (7200 if "expired" in lies else 0),
            "exp": now + (-3600 if "expired" in lies else 300),
            "nonce": "another" if "nonce" in lies else asked["nonce"],
            **asked["says"],
        }
        if "several audiences" in lies:
            claims |= {"aud": [CLIENT, "another-service"], "azp": "another-service"}
        if "no nonce" in lies:
            del claims["nonce"]
        if "no signature" in lies:
            return jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
        if "a secret" in lies:
            return jwt.encode(claims, SECRET * 2, algorithm="HS256", headers={"kid": "one"})
        if "nonsense" in lies:
            return "not.a.token"
        key = self.other_key if "signature" in lies else self.key
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "two" if "key" in lies else "one"})

    def _handler(provider) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def _answer(self, status: int, body: str, kind: str = "application/json", **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body.encode())))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def _form(self) -> dict[str, str]:
                sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
                return {name: values[0] for name, values in parse_qs(sent).items()}

            def _moved(self) -> bool:
                """Whether it has sent the service on: to where the same, and the truth, is told."""
                moves = f"moves {self.path}" in provider.lies
                if moves:
                    self._answer(307, "", Location=f"/moved{self.path}")
                return moves

            def do_GET(self) -> None:
                there = urlsplit(self.path)
                asked = {name: values[0] for name, values in parse_qs(there.query).items()}
                if there.path == "/authorize":
                    provider.asked.append(asked)
                    if (asked["redirect_uri"], asked["client_id"]) != (provider.redirect_uri, CLIENT):
                        self._answer(400, "This address or client is not registered.", "text/plain")
                    elif provider.asks:
                        fields = "".join(
                            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                            for name, value in asked.items()
                        )
                        form = f'<form method="post" action="/consent">{fields}<button>Continue</button></form>'
                        head = '<link rel="icon" href="data:,"><title>Provider</title>'
                        page = f'<!doctype html><html lang="en">{head}{form}</html>'
                        self._answer(200, page, "text/html")
                    else:
                        self._answer(302, "", Location=provider.consent(asked))
                    return
                provider.fetched.append(there.path)
                if self._moved():
                    return
                there = urlsplit(self.path.removeprefix("/moved"))
                if "breaks" in provider.lies:
                    self._answer(500, "Traceback", "text/plain")
                elif there.path == "/.well-known/openid-configuration":
                    self._answer(200, json.dumps(provider.discovery()))
                elif there.path == "/jwks":
                    self._answer(200, json.dumps(provider.jwks()))
                elif there.path == "/userinfo":
                    said = provider.tokens[self.headers["Authorization"].removeprefix("Bearer ")]
                    self._answer(200, json.dumps(said))
                else:
                    self._answer(404, "", "text/plain")

            def do_POST(self) -> None:
                form = self._form()
                if self.path == "/consent":
                    self._answer(302, "", Location=provider.consent(form))
                    return
                provider.fetched.append(self.path)
                if self._moved():
                    return
                status, answer = provider.token(form)
                self._answer(status, json.dumps(answer))

        return Handler


@contextmanager
def provider(redirect_uri: str, *, asks: bool = False) -> Iterator[Provider]:
    """A provider for as long as this lasts."""
    running = Provider(redirect_uri, asks=asks)
    try:
        yield running
    finally:
        if running.thread.is_alive():
            running.close()
