"""The first administrator, made when there is no user yet; whichever worker is first tells."""

from typing import TextIO

from pydantic import SecretStr

from mqtt_dashboard.dashboard.auth.accounts import FIRST_USER, Accounts
from mqtt_dashboard.dashboard.auth.passwords import generated


class Founding:
    """Makes the first user once; a generated password is written to ``out``, once and only there.

    It does not go through the log, so that no log collector keeps it.
    """

    def __init__(
        self, accounts: Accounts, password: SecretStr | None, out: TextIO, *, required: bool
    ) -> None:
        self._accounts = accounts
        self._password = password
        self._out = out
        self._settled = not required

    def turn(self) -> None:
        """Make sure that there is a user; does nothing once there is."""
        if self._settled:
            return
        given = None if self._password is None else self._password.get_secret_value()
        password = given or generated()
        if self._accounts.found(password) and given is None:
            self._out.write(
                f"\n  First sign-in: user {FIRST_USER}, password {password}\n"
                "  This is shown once. Change it: mqtt-dashboard users passwd admin\n\n"
            )
            self._out.flush()
        self._settled = True
