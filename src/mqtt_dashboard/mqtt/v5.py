"""The link for MQTT 5. The protocol is in `v5_session`, the waiting in `v5_loop`."""

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.mqtt.client import LinkOptions, Listener
from mqtt_dashboard.mqtt.packet_ids import CALLERS, PacketIds
from mqtt_dashboard.mqtt.socket_io import Outlet, open_stream
from mqtt_dashboard.mqtt.threaded_link import Conversation, ThreadedLink
from mqtt_dashboard.mqtt.v5_loop import Loop
from mqtt_dashboard.mqtt.v5_session import V5Session


class V5Link(ThreadedLink):
    """MQTT 5 over a socket of our own."""

    def __init__(self, options: LinkOptions, listener: Listener, clock: Clock) -> None:
        super().__init__(options, listener, clock)
        self._ids = PacketIds(reserved=CALLERS)
        self._connections = 0

    def _converse(self) -> Conversation:
        connection = open_stream(self.options)
        self._connections += 1
        outlet = Outlet(connection)
        session = V5Session(
            self.options,
            self.listener,
            self.clock,
            connection=self._connections,
            ids=self._ids,
            queue=outlet.add,
            send=outlet.send_now,
        )
        address = f"{self.options.host}:{self.options.port}"
        return Loop(connection, outlet, session, self.clock, self.take_close, address, self.turned)
