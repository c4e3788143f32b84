"""A dashboard that trusts a provider, for the tests of sign-in through one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.dashboard_stack import Stack, running_stack
from tests.support.oidc_browser import Browser
from tests.support.oidc_provider import CLIENT_ID, SECRET, OidcProvider
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, forgive_all, store_of

ROLES = "cooks=viewer,staff=operator,root=administrator"


def environ_of(provider: OidcProvider) -> dict[str, str]:
    """Return the settings of a dashboard that trusts a provider."""
    return {
        "AUTH_MODE": "required",
        "ADMIN_PASSWORD": PASSWORD,
        "OIDC_ISSUER": provider.issuer,
        "OIDC_NAME": "Test House",
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": SECRET,
        "OIDC_ROLES": ROLES,
    }


@dataclass
class House:
    """A provider and the stack that trusts it."""

    provider: OidcProvider
    stack: Stack

    def fresh(self) -> OidcProvider:
        """Return the provider as a good one, with no failed sign-ins remembered."""
        self.provider.reset()
        forgive_all(self.stack.redis.client())
        return self.provider

    def browser(self) -> Browser:
        """Return a browser that was never here."""
        return Browser(self.stack.dashboard)


@contextmanager
def house_of(folder: Path, workers: int) -> Iterator[House]:
    """Run both."""
    provider = OidcProvider().start()
    try:
        environ = {"WEB_CONCURRENCY": str(workers), **environ_of(provider)}
        with running_stack(folder, **environ) as stack:
            wait_for(lambda: store_of(stack.redis.port).has_users(), "the first user")
            yield House(provider, stack)
    finally:
        provider.stop()
