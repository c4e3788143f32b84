"""The bridge as a whole: builds the parts, knows the order of start and stop, reports its state.

Threads: ``mqtt`` (the link and its reconnects), ``forwarder``, ``index``, ``lease`` (and status),
``filters``, ``reporter``, ``commands``, ``replies``, ``orders``, ``journal``. Each is a watched
loop; when one dies the process ends with status 1.
"""

import os
import threading
import uuid
from collections.abc import Callable
from typing import Final

from mqtt_dashboard import __version__, logs
from mqtt_dashboard.bridge.accounts import Accounts
from mqtt_dashboard.bridge.client_poller import ClientPoller
from mqtt_dashboard.bridge.clients import Clients
from mqtt_dashboard.bridge.commands import Commands, Replies
from mqtt_dashboard.bridge.emqx_api import EmqxApi
from mqtt_dashboard.bridge.families import DYNSEC_RESPONSE
from mqtt_dashboard.bridge.faults import Faults
from mqtt_dashboard.bridge.forwarder import Forwarder
from mqtt_dashboard.bridge.history import History
from mqtt_dashboard.bridge.inbox import Inbox, never_hold
from mqtt_dashboard.bridge.index_keeper import IndexKeeper
from mqtt_dashboard.bridge.intake import Intake
from mqtt_dashboard.bridge.journal import no_checkpoint
from mqtt_dashboard.bridge.lease import Lease
from mqtt_dashboard.bridge.link_settings import link_options, session_name, status_topic
from mqtt_dashboard.bridge.loops import Loop
from mqtt_dashboard.bridge.observer import Observer
from mqtt_dashboard.bridge.orders import Orders
from mqtt_dashboard.bridge.reconciler import Reconciler
from mqtt_dashboard.bridge.reign import Reign
from mqtt_dashboard.bridge.reporter import Reporter
from mqtt_dashboard.bridge.retained import RetainedWatch
from mqtt_dashboard.bridge.session_book import SessionBook
from mqtt_dashboard.bridge.session_log import SessionLog
from mqtt_dashboard.bridge.silence import SilenceWatch
from mqtt_dashboard.bridge.subscriptions import Subscriptions
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.bus.bridge_store import BridgeStore
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.config_bridge import BridgeSettings
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.messages import BridgeStatus
from mqtt_dashboard.contract.system import BridgeAbout
from mqtt_dashboard.errors import BusError
from mqtt_dashboard.mqtt.client_events import ClientConnected
from mqtt_dashboard.mqtt.connector import Connector

FILTERS_EVERY_S: Final = 0.2
FILTERS_PAUSE_S: Final = 0.01
STATS_EVERY_S: Final = 5.0
LISTS_EVERY_S: Final = 10.0
ACCOUNTS_EVERY_S: Final = 60.0
STOP_S: Final = 4.2
DRAIN_S: Final = 2.0
JOIN_S: Final = 0.7
LAST_WRITES_S: Final = 0.7
# A message that waits so long is a reason not to be ready.
LONG_WAIT_S: Final = 5.0
# A write may take long over a slow line, and so may a name server on the way to the broker.
WRITE_STUCK_S: Final = 60.0
LINK_STUCK_S: Final = 120.0

log = logs.get(__name__)


class MQTTBridge:
    """The only MQTT client of the system."""

    def __init__(
        self,
        mqtt: MqttSettings,
        settings: BridgeSettings,
        store: BridgeStore,
        channels: RedisChannels,
        clock: Clock,
        about: BridgeAbout,
        checkpoint: Callable[[str], None] = no_checkpoint,
    ) -> None:
        self._mqtt = mqtt
        self._clock = clock
        self._store = store
        self._channels = channels
        self._log_age = settings.log_age
        self._instance = uuid.uuid4().hex[:12]
        self._started_at = clock.now()
        self._stopping = threading.Event()
        port = mqtt.port or 1883
        self._session = SessionLog(mqtt.host, port, clock)
        self._lease = Lease(store, self._instance, clock)
        self._inbox = Inbox(settings.queue_limit)
        dynsec = settings.dynsec == "on"
        self._history = History(store.history, clock, about)
        self._subscriptions = Subscriptions(mqtt.topics, [DYNSEC_RESPONSE] if dynsec else [])
        self._faults = Faults()
        self._reign = Reign(
            self._lease,
            self._session,
            self._inbox,
            self._subscriptions,
            store,
            self.status,
            self._faults,
        )
        self._replies = Replies(store)
        self._index = TopicIndex(
            settings.topic_limit,
            settings.value_limit,
            settings.value_budget,
            settings.names_budget,
        )
        self._silence = SilenceWatch(self._index, self._listening_since)
        self._keeper = IndexKeeper(
            self._index, store.topics, store.tail, self._lease, clock, self._faults
        )
        clients = Clients(
            ClientConnected(mqtt.client_id, keepalive=mqtt.keepalive, username=mqtt.username)
        )
        accounts = Accounts(clock, enabled=dynsec)
        self._observer = Observer(self._inbox, self._index, clients, clock, accounts, self._faults)
        self._reporter = Reporter(store, channels, self._lease, self._session, clock, self._faults)
        self._intake = Intake(
            self._inbox, self._observer, self._subscriptions, self._session, clock
        )
        self._mqtt_loop = Loop("mqtt", self._run_link, clock, stuck_after=LINK_STUCK_S)
        self._link = Connector(
            link_options(mqtt, port),
            self._intake,
            clock,
            protocol=mqtt.protocol,
            stop=self._stopping,
            may_connect=self._may_connect,
            turned=self._mqtt_loop.beat,
        )
        name = session_name(mqtt, port)
        book = SessionBook(store.session, name, lambda: self._lease.epoch, clock)
        self._reconciler = Reconciler(self._subscriptions, self._link, clock, book)
        self._reign.wire(self._link, self._reconciler)
        self._inbox.hold = self._hold_off
        self._retained = RetainedWatch(
            self._index,
            self._reconciler,
            self._observer.retained_count,
            lambda: self._inbox.traffic().queued,
            clock,
        )
        self._intake.wire(
            self._reconciler, self._link, self._reporter, self._retained, status_topic(mqtt)
        )
        self._forwarder = Forwarder(
            self._inbox,
            store,
            self._lease,
            self._observer,
            self._link.acknowledge,
            settings.log_limit,
            clock,
        )
        self._commands = Commands(
            store,
            self._link,
            self._subscriptions,
            self._lease,
            self._replies,
            clock,
            self._reconciler.wake.set,
            allow_dollar=settings.dollar_publish,
            allow_publish=settings.command_channel == "on",
        )
        self._orders = Orders(
            store.orders,
            self._link,
            self._lease,
            self._session,
            clock,
            allow_dollar=settings.dollar_publish,
            checkpoint=checkpoint,
        )
        self._intake.orders = self._orders
        self._plan_reports()
        self._loops = [
            Loop("lease", self._reign.turn, clock),
            Loop("forwarder", self._forwarder.turn, clock, stuck_after=WRITE_STUCK_S),
            Loop("index", self._keeper.turn, clock),
            Loop("filters", self._sync_filters, clock),
            Loop("reporter", self._reporter.turn, clock),
            Loop("replies", self._replies.turn, clock),
            Loop("commands", self._commands.turn, clock, finish=self._commands.close),
            Loop("orders", self._orders.turn, clock),
            Loop("journal", self._orders.journal.turn, clock),
            self._mqtt_loop,
        ]
        if settings.emqx_api_url:
            self._loops.append(self._poll_emqx(settings, clients))

    def start(self) -> None:
        """Start every loop; none of them needs the broker or Redis to be there already."""
        log.info("bridge.starting", instance=self._instance, broker=self._mqtt.host)
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Stop taking in, write what is queued, say goodbye, hand the lease on; within 5 s.

        Nothing here waits longer than there is time: a Redis that does not answer gets no goodbye,
        and the lease runs out by itself.
        """
        now = self._clock.monotonic()
        deadline = now + STOP_S
        loops = {loop.name: loop for loop in self._loops}
        loops["commands"].stop()
        loops["orders"].stop()
        self._inbox.hold = never_hold
        self._link.pause(paused=True)
        self._drain(now + DRAIN_S)
        self._stopping.set()
        self._link.close(will=True)
        loops["mqtt"].stop()
        loops["mqtt"].join(1.0)
        for loop in self._loops:
            loop.stop()
        self._session.enter("stopped", "the bridge was stopped")
        joined = self._clock.monotonic() + JOIN_S
        for loop in self._loops:
            loop.join(max(0.0, joined - self._clock.monotonic()))
        goodbye = threading.Thread(target=self._say_goodbye, name="goodbye", daemon=True)
        goodbye.start()
        goodbye.join(max(0.0, deadline - self._clock.monotonic()))
        log.info("bridge.stopped", **_account(self.status()))

    def problems(self) -> list[str]:
        """Return what is wrong with the bridge's own loops; not empty means: end the process."""
        return [problem for loop in self._loops if (problem := loop.problem())]

    def not_ready(self) -> list[str]:
        """Return why the bridge does not carry messages at the moment."""
        reasons = self.problems()
        if not self._lease.held:
            reasons.append(self._session.now.reason)
        elif not self._lease.safe:
            said = self._reign.trouble or "it did not answer"
            reasons.append(f"the lease could not be renewed for 3 s or more: {said}")
        if (waited := self._inbox.oldest_wait()) > LONG_WAIT_S:
            said = f": {self._forwarder.trouble}" if self._forwarder.trouble else ""
            reasons.append(f"the oldest message has waited {waited:.0f} s for Redis{said}")
        if self._lease.held and not self._session.now.connected:
            reasons.append(f"no MQTT session: {self._session.now.reason}")
        elif self._lease.held:
            reasons += self._reconciler.problems()
        return reasons

    def status(self) -> BridgeStatus:
        """Return the document of the status key."""
        state = self._session.now
        session = state.session
        return BridgeStatus(
            instance=self._instance,
            epoch=self._lease.epoch,
            beat=self._reign.beat,
            version=__version__,
            pid=os.getpid(),
            started_at=self._started_at,
            timestamp=self._clock.now(),
            connected=state.connected,
            state=state.state,
            reason=state.reason,
            since=state.since,
            host=self._mqtt.host,
            port=self._mqtt.port or 1883,
            tls=self._mqtt.tls,
            protocol=session.protocol if session and state.connected else None,
            client_id=self._mqtt.client_id,
            connects=state.connects,
            anonymous=self._mqtt.username is None and self._mqtt.cert_file is None,
            broker_family=self._observer.family,
            subscriptions=self._reconciler.report(),
            traffic=self._inbox.traffic(),
            commands=dict(self._commands.counts() + self._orders.journal.counts.all()),
            last_message_at=self._intake.last_message_at,
            seq=self._forwarder.seq,
            restoring=self._keeper.restoring,
            retained=self._retained.state,
            capabilities=self._observer.capabilities(self._reconciler.report()),
            faults=self._faults.counts(),
        )

    def _may_connect(self) -> bool:
        return self._reign.secure and self._orders.continuity.may_connect()

    def _run_link(self, _wait: Callable[[float], bool]) -> None:
        self._link.run()

    def _hold_off(self, held: bool) -> None:
        self._link.pause(paused=held)

    def _listening_since(self) -> float | None:
        state = self._session.now
        return state.since if state.connected else None

    def _sync_filters(self, wait: Callable[[float], bool]) -> None:
        self._reconciler.wake.clear()
        self._reconciler.sync()
        self._retained.turn()
        wait(FILTERS_PAUSE_S)
        self._reconciler.wake.wait(FILTERS_EVERY_S)

    def _plan_reports(self) -> None:
        self._reporter.every(STATS_EVERY_S, "stats", self._report_stats)
        self._reporter.every(LISTS_EVERY_S, "clients", self._report_clients)
        self._reporter.every(ACCOUNTS_EVERY_S, "accounts", self._ask_accounts)
        self._reporter.every(LISTS_EVERY_S, "topics", self._report_topics)
        self._reporter.every(LISTS_EVERY_S, "expiry", self._expire_filters)
        self._reporter.every(LISTS_EVERY_S, "age", self._trim_log)

    def _report_stats(self) -> None:
        # While there is no session the last document stays, and its age tells that it is old.
        if self._session.now.connected:
            epoch = self._lease.epoch
            document = self._observer.stats(epoch)
            self._store.announce(epoch, self._channels.BROKER_STATS, document)
            self._history.keep(epoch, document)

    def _report_clients(self) -> None:
        if self._session.now.connected:
            epoch = self._lease.epoch
            document = self._observer.client_list(epoch)
            self._store.announce(epoch, self._channels.CLIENT_LIST, document)

    def _ask_accounts(self) -> None:
        if self._session.now.connected:
            self._observer.accounts.ask(self._link)

    def _poll_emqx(self, settings: BridgeSettings, clients: Clients) -> Loop:
        key, secret = settings.emqx_api_key, settings.emqx_api_secret
        api = EmqxApi(
            settings.emqx_api_url or "",
            key.get_secret_value() if key else "",
            secret.get_secret_value() if secret else "",
            self._clock,
        )
        poller = ClientPoller(
            api, clients, lambda: self._session.now.connected, self._clock, self._faults
        )
        self._observer.poller = poller
        # A request may take long, and a name server longer: neither is a reason to end the bridge.
        return Loop("clients", poller.turn, self._clock, stuck_after=float("inf"))

    def _report_topics(self) -> None:
        epoch = self._lease.epoch
        self._history.introduce(epoch)
        self._silence.turn(self._clock.now())
        document = self._silence.add_to(self._index.update(self._clock.now(), epoch))
        self._store.announce(epoch, self._channels.TOPIC_LIST, document)

    def _trim_log(self) -> None:
        self._forwarder.trimmed(self._store.log.trim(self._lease.epoch, self._log_age))

    def _expire_filters(self) -> None:
        for topic_filter in self._subscriptions.expire(self._clock.now()):
            self._store.forget_subscription(topic_filter)

    def _drain(self, deadline: float) -> None:
        """Let the forwarder write what is queued, as long as Redis takes it."""
        waiting = self._inbox.traffic
        while waiting().queued and self._lease.safe and self._clock.monotonic() < deadline:
            self._stopping.wait(0.02)

    def _say_goodbye(self) -> None:
        try:
            if self._lease.safe:
                self._orders.journal.flush()
                self._keeper.finish(self._clock.monotonic() + LAST_WRITES_S)
                self._reporter.announce_changes()
                self._lease.release()
        except BusError as error:
            log.warning("bridge.no_goodbye", reason=error.reason)


def _account(status: BridgeStatus) -> dict[str, object]:
    traffic = status.traffic
    return {
        "received": traffic.received,
        "forwarded": traffic.forwarded,
        "queued": traffic.queued,
        "dropped": traffic.dropped,
    }
