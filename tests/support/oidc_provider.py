"""A small OpenID Connect provider with real keys over real HTTP, which can be told to do wrong."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.servers import free_port

CLIENT_ID = "mqtt-dashboard"
SECRET = "the client's own secret: 100 %"

Claims = dict[str, Any]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def make_key(algorithm: str, bits: int = 2048) -> PrivateKey:
    """Return a private key that fits a method of signing."""
    if algorithm.startswith("ES"):
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        return ec.generate_private_key(curves[algorithm])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class OidcProvider:
    """The provider; whatever is public here may be bent by a test and is reset by `reset`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}/realm"
        self._first_key = make_key("RS256")
        self._server: ThreadingHTTPServer | None = None
        self.reset()

    def reset(self) -> None:
        """Be a good provider again."""
        self.secret: str | None = SECRET
        self.algorithm = "RS256"
        self.kid: str | None = "first"
        self.signing: PrivateKey = self._first_key
        self.published: dict[str, tuple[PrivateKey, str]] = {"first": (self._first_key, "RS256")}
        self.claims: Claims = {"preferred_username": "ada", "groups": ["staff", "cooks"]}
        self.bend: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = self.signed
        self.metadata: dict[str, Any] = {}
        self.answer: Callable[[str], tuple[int, bytes, dict[str, str]] | None] = lambda _path: None
        self.one_use = True
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def start(self) -> Self:
        """Serve; may be called again after `stop`."""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.serve(self, b"")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                provider.serve(self, self.rfile.read(length))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="provider", daemon=True).start()
        return self

    def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def use_key(self, algorithm: str, kid: str | None, *, publish: bool = True) -> None:
        """Sign with a new key from now on; the ones before are withdrawn."""
        self.algorithm, self.kid, self.signing = algorithm, kid, make_key(algorithm)
        self.published = {kid or "unnamed": (self.signing, algorithm)} if publish else {}

    def signed(self, claims: Claims) -> str:
        """Return claims as a token, signed as they should be."""
        headers = {"kid": self.kid} if self.kid else {}
        return jwt.encode(claims, self.signing, self.algorithm, headers=headers)

    def keys(self) -> list[dict[str, Any]]:
        """Return the published keys."""
        found = []
        for kid, (key, algorithm) in self.published.items():
            kind = jwt.get_algorithm_by_name(algorithm)
            found.append({**_jwk(kind, key), "kid": kid, "use": "sig", "alg": algorithm})
        return found

    def public_pem(self) -> bytes:
        """Return the public key that everybody knows."""
        return self.signing.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def serve(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer one request."""
        parts = urlsplit(request.path)
        self.asked.append(parts.path)
        query = dict(parse_qsl(parts.query))
        bent = self.answer(parts.path)
        if bent is not None:
            status, content, headers = bent
        elif parts.path == "/realm/.well-known/openid-configuration":
            status, content, headers = _json(200, self._discovery())
        elif parts.path == "/realm/keys":
            status, content, headers = _json(200, {"keys": self.keys()})
        elif parts.path == "/realm/authorize":
            status, content, headers = self._authorize(query)
        elif parts.path == "/realm/token":
            authorization = request.headers.get("Authorization", "")
            status, content, headers = self._token(dict(parse_qsl(body.decode())), authorization)
        else:
            status, content, headers = 404, b"", {}
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            **self.metadata,
        }

    def _authorize(self, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in wanted.items()):
            return 400, b"not what this provider serves", {}
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        joint = "&" if "?" in query["redirect_uri"] else "?"
        answer = urlencode({"code": code, "state": query["state"]})
        return 302, b"", {"Location": f"{query['redirect_uri']}{joint}{answer}"}

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, bytes, dict[str, str]]:
        if not self._is_client(form, authorization):
            return _json(401, {"error": "invalid_client"})
        code = form.get("code", "")
        asked = self._codes.pop(code, None) if self.one_use else self._codes.get(code)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return _json(400, {"error": "invalid_grant"})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return _json(400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "subject-of-ada",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        token = self.sign(self.bend(claims))
        return _json(200, {"id_token": token, "access_token": "x", "token_type": "Bearer"})

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        if self.secret is None:
            return form.get("client_id") == CLIENT_ID and not authorization
        if self.metadata.get("token_endpoint_auth_methods_supported") == ["client_secret_post"]:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, self.secret)
        kind, _, text = authorization.partition(" ")
        pair = base64.b64decode(text).decode().split(":")
        return kind == "Basic" and [unquote_plus(one) for one in pair] == [CLIENT_ID, self.secret]


def unsigned(claims: Claims) -> str:
    """Return a token of the method "none"."""
    return jwt.encode(claims, "", "none")


def with_shared_secret(claims: Claims, secret: bytes, kid: str = "first") -> str:
    """Return a token of HS256; with the public key as secret, the oldest trick of all."""
    head = _part({"alg": "HS256", "typ": "JWT", "kid": kid})
    text = f"{head}.{_part(claims)}"
    return f"{text}.{_base64(hmac.digest(secret, text.encode(), 'sha256'))}"


def _jwk(kind: Any, key: PrivateKey) -> dict[str, Any]:
    found: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return {name: value for name, value in found.items() if name != "key_ops"}


def _part(document: dict[str, Any]) -> str:
    return _base64(json.dumps(document).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _json(status: int, document: dict[str, Any]) -> tuple[int, bytes, dict[str, str]]:
    return status, json.dumps(document).encode(), {"Content-Type": "application/json"}
