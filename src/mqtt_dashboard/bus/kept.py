"""How many entries of each stream are kept where no setting says it.

Redis trims by whole nodes (``MAXLEN ~``), so up to about a hundred more may be there.
"""

from typing import Final

from mqtt_dashboard.contract.history import Span

EVENTS_KEPT: Final = 1000
CHANGES_KEPT: Final = 500
RESULTS_KEPT: Final = 1000
POINTS_KEPT: Final[dict[Span, int]] = {"hour": 720, "day": 1440}
