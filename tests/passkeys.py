"""A passkey in software: makes and signs what a browser would send. For tests of the server's side."""

import json
import os
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

ORIGIN = "http://localhost"
_F = AuthenticatorData.FLAG


class Passkey:
    """One passkey of one account, at one origin."""

    def __init__(self, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(32)
        self.handle = b""

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _said(self, response: dict[str, bytes]) -> dict[str, Any]:
        name = websafe_encode(self.id)
        parts = {part: websafe_encode(value) for part, value in response.items()}
        return {"type": "public-key", "id": name, "rawId": name, "clientExtensionResults": {}, "response": parts}

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """What the browser sends when it has made the passkey."""
        asked = options["publicKey"]
        self.handle = websafe_decode(asked["user"]["id"])
        public = AttestedCredentialData.create(b"\0" * 16, self.id, ES256.from_cryptography_key(self.key.public_key()))
        flags = _F.USER_PRESENT | _F.USER_VERIFIED | _F.ATTESTED
        data = AuthenticatorData.create(sha256(asked["rp"]["id"].encode()).digest(), flags, 0, public)
        attested = cbor.encode({"fmt": "none", "attStmt": {}, "authData": bytes(data)})
        return self._said(
            {"clientDataJSON": self._client("webauthn.create", asked["challenge"]), "attestationObject": attested}
        )

    def get(self, options: dict[str, Any], *, verified: bool = True) -> dict[str, Any]:
        """What the browser sends when it was used. `verified`: the device has asked for finger, face or PIN."""
        asked = options["publicKey"]
        flags = _F.USER_PRESENT | (_F.USER_VERIFIED if verified else _F(0))
        data = bytes(AuthenticatorData.create(sha256(asked["rpId"].encode()).digest(), flags, 0))
        client = self._client("webauthn.get", asked["challenge"])
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._said(
            {"clientDataJSON": client, "authenticatorData": data, "signature": signature, "userHandle": self.handle}
        )
