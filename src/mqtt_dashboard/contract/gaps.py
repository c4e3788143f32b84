"""Why numbers are missing in the message log."""

from typing import Literal

# Of a lost session nobody knows how many messages it cost: one number is left out. The other causes
# leave out one number per message.
GapCause = Literal["queue_full", "refused_by_redis", "session_lost"]
