"""The routes of sign-in, users and tokens, for the table in `export`."""

from typing import Any, Final

from mqtt_dashboard.contract import auth
from mqtt_dashboard.contract.api import ErrorReply
from mqtt_dashboard.contract.routes import Query, Route

_TEXT: Final[dict[str, Any]] = {"type": "string"}
_ACCOUNT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_UNKNOWN: Final = ("Nobody known is asking: sign in.", ErrorReply)
_FORBIDDEN: Final = ("The role or the filters do not allow it.", ErrorReply)
_NO_SUCH: Final = ("There is none of that name.", ErrorReply)
_CONFLICT: Final = ("It exists already, or it is the last administrator.", ErrorReply)
_INVALID: Final = ("A field is not valid.", ErrorReply)
_TOO_MANY: Final = ("Too many; `Retry-After` says when again.", ErrorReply)
_REDIS: Final = ("Redis does not answer.", ErrorReply)

_USER: Final = (Query("name", "The user.", _TEXT, "path"),)
_TOKEN_ID: Final = (Query("identity", "The token's id.", _TEXT, "path"),)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "get",
        "/api/auth/me",
        "getMe",
        "Who is asking, and what that one may read and publish; answered to everybody.",
        {200: ("Who.", auth.MeReply), 503: _REDIS},
    ),
    Route(
        "post",
        "/api/auth/login",
        "login",
        "Sign in with a password: sets the session cookie.",
        {
            200: ("Signed in.", auth.MeReply),
            401: ("Name or password is wrong.", ErrorReply),
            409: ("Nobody needs to sign in here.", ErrorReply),
            422: _INVALID,
            429: _TOO_MANY,
            503: _REDIS,
        },
        body=auth.LoginRequest,
    ),
    Route(
        "post",
        "/api/auth/logout",
        "logout",
        "End the session; open live channels of it are cut.",
        {200: ("Signed out.", auth.MeReply), 503: _REDIS},
    ),
    Route(
        "get",
        "/api/auth/oidc/start",
        "startOidc",
        "Go to the OpenID Connect provider to sign in; for browsers.",
        {
            302: (
                "To the provider; or to the page with `sign_in`, which says why not.",
                "text/html",
            ),
            404: ("No provider is set up.", ErrorReply),
            429: _TOO_MANY,
        },
        query=(Query("next", "The page to show afterwards, from the base path on.", _TEXT),),
    ),
    Route(
        "get",
        "/api/auth/oidc/callback",
        "finishOidc",
        "Back from the provider: sets the session cookie; for browsers.",
        {
            302: ("To the page; with `sign_in` when it did not work.", "text/html"),
            404: ("No provider is set up.", ErrorReply),
            429: _TOO_MANY,
            503: _REDIS,
        },
        query=(
            Query("state", "What was sent to the provider.", _TEXT),
            Query("code", "What the ID token is asked for with.", _TEXT),
            Query("error", "Why the provider refuses.", _TEXT),
            Query("iss", "Who answers (RFC 9207).", _TEXT),
        ),
    ),
    Route(
        "post",
        "/api/auth/password",
        "changePassword",
        "Change one's own password; all other sessions end.",
        {200: ("Changed.", auth.MeReply), 401: _UNKNOWN, 403: _FORBIDDEN, 422: _INVALID},
        body=auth.PasswordRequest,
    ),
    Route(
        "get",
        "/api/auth/sessions",
        "getSessions",
        "One's own sessions.",
        {200: ("Sessions.", auth.SessionsReply), 401: _UNKNOWN},
    ),
    Route(
        "delete",
        "/api/auth/sessions",
        "endSessions",
        "End one of one's own sessions, or all but this one.",
        {200: ("What is left.", auth.SessionsReply), 401: _UNKNOWN, 404: _NO_SUCH},
        query=(Query("id", "The session to end; without it all others.", _TEXT),),
    ),
    Route(
        "get",
        "/api/users",
        "getUsers",
        "All users; administrators only.",
        {200: ("Users.", auth.UsersReply), 401: _UNKNOWN, 403: _FORBIDDEN},
    ),
    Route(
        "post",
        "/api/users",
        "addUser",
        "Add a user; administrators only.",
        {
            201: ("Added.", auth.UserInfo),
            401: _UNKNOWN,
            403: _FORBIDDEN,
            409: _CONFLICT,
            422: _INVALID,
        },
        body=auth.UserCreate,
    ),
    Route(
        "patch",
        "/api/users/{name}",
        "changeUser",
        "Change role, filters or password of a user; administrators only.",
        {
            200: ("Changed.", auth.UserInfo),
            401: _UNKNOWN,
            403: _FORBIDDEN,
            404: _NO_SUCH,
            409: _CONFLICT,
            422: _INVALID,
        },
        body=auth.UserChange,
        query=_USER,
    ),
    Route(
        "delete",
        "/api/users/{name}",
        "removeUser",
        "Remove a user; administrators only.",
        {
            200: ("Who is left.", auth.UsersReply),
            401: _UNKNOWN,
            403: _FORBIDDEN,
            404: _NO_SUCH,
            409: _CONFLICT,
        },
        query=_USER,
    ),
    Route(
        "delete",
        "/api/users/{name}/sessions",
        "signOutUser",
        "End all sessions of a user; administrators only.",
        {
            200: ("Signed out.", auth.UserInfo),
            401: _UNKNOWN,
            403: _FORBIDDEN,
            404: _NO_SUCH,
            409: ("Somebody changed that user meanwhile.", ErrorReply),
        },
        query=_USER,
    ),
    Route(
        "get",
        "/api/sessions",
        "getHeldSessions",
        "Everybody's sessions, the newest first; administrators only.",
        {200: ("Sessions.", auth.HeldSessionsReply), 401: _UNKNOWN, 403: _FORBIDDEN},
    ),
    Route(
        "delete",
        "/api/sessions",
        "endHeldSessions",
        "End one session of an account, or all of them; administrators only.",
        {
            200: ("What is left.", auth.HeldSessionsReply),
            400: ("No account is named.", ErrorReply),
            401: _UNKNOWN,
            403: _FORBIDDEN,
            404: ("There is no such session.", ErrorReply),
        },
        query=(
            Query("account", "Whose, as in the list.", _ACCOUNT, required=True),
            Query("id", "The session to end; without it all of the account.", _TEXT),
        ),
    ),
    Route(
        "get",
        "/api/tokens",
        "getTokens",
        "All API tokens, without their secrets; administrators only.",
        {200: ("Tokens.", auth.TokensReply), 401: _UNKNOWN, 403: _FORBIDDEN},
    ),
    Route(
        "post",
        "/api/tokens",
        "createToken",
        "Make an API token, shown in this answer only; administrators only.",
        {
            201: ("Made.", auth.TokenCreated),
            401: _UNKNOWN,
            403: _FORBIDDEN,
            409: _CONFLICT,
            422: _INVALID,
        },
        body=auth.TokenCreate,
    ),
    Route(
        "delete",
        "/api/tokens/{identity}",
        "revokeToken",
        "Revoke an API token; administrators only.",
        {200: ("Tokens left.", auth.TokensReply), 401: _UNKNOWN, 403: _FORBIDDEN, 404: _NO_SUCH},
        query=_TOKEN_ID,
    ),
)
