"""Writes into Redis what a bridge writes, through the contract's own types; no MQTT involved."""

import os
import time
import uuid
from collections.abc import Sequence

import redis

from mqtt_dashboard.bus.topic_names import to_member
from mqtt_dashboard.contract import CONTRACT_VERSION, codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.commands import CommandReply
from mqtt_dashboard.contract.messages import (
    Batch,
    BridgeStatus,
    BrokerStats,
    ClientInfo,
    ClientsUpdate,
    GrantedFilter,
    LinkState,
    LogMessage,
    StateDocument,
    StatsUpdate,
    StatusChange,
    TopicsUpdate,
)
from mqtt_dashboard.contract.topic_entry import TopicEntry


class Feed:
    """A stand-in for the bridge's writing side: each method writes once, nothing runs."""

    def __init__(self, client: redis.Redis, prefix: str = "mqtt:") -> None:
        self.client = client
        self.channels = RedisChannels(prefix)
        self.instance = uuid.uuid4().hex
        self.epoch = 1
        self.seq = 0
        self.beats = 0

    def beat(
        self,
        *,
        connected: bool = True,
        state: LinkState = "connected",
        filters: Sequence[str] = ("#",),
        ttl_s: int | None = 3,
    ) -> None:
        """Renew the status key once."""
        self.beats += 1
        status = BridgeStatus(
            instance=self.instance,
            epoch=self.epoch,
            beat=self.beats,
            version="0.1.0",
            pid=os.getpid(),
            started_at=time.time(),
            timestamp=time.time(),
            connected=connected,
            state=state,
            reason="connected" if connected else "the broker refused the password",
            since=time.time(),
            host="broker.example",
            port=1883,
            client_id="mqtt-bridge-service",
            subscriptions=[GrantedFilter(filter=one, qos=0, granted=0) for one in filters],
        )
        self.client.set(self.channels.bridge_status, codec.encode(status), ex=ttl_s)

    def messages(
        self, *messages: tuple[str, bytes | str], qos: int = 0, retain: bool = False
    ) -> None:
        """Append one batch to the message log."""
        self.log(
            [
                LogMessage(
                    topic=topic,
                    payload=payload if isinstance(payload, bytes) else payload.encode(),
                    qos=qos,
                    retain=retain,
                    dup=False,
                    timestamp=time.time(),
                )
                for topic, payload in messages
            ]
        )

    def log(self, messages: list[LogMessage]) -> None:
        """Append one batch of whole messages to the message log."""
        batch = Batch(
            version=CONTRACT_VERSION,
            epoch=self.epoch,
            first_seq=self.seq + 1,
            messages=messages,
        )
        self.seq += len(messages)
        self.client.xadd(self.channels.message_log, {"b": codec.pack(batch)})

    def announce(self, channel: str, document: StateDocument) -> None:
        """Keep a state document as the newest, log it and publish it."""
        encoded = codec.encode(document)
        self.client.set(self.channels.latest(channel), encoded)
        self.client.xadd(self.channels.events, {"c": channel, "d": encoded})
        self.client.publish(channel, encoded)

    def stats(self, **values: float | str | None) -> None:
        """Announce broker statistics."""
        data = BrokerStats(**values)  # type: ignore[arg-type]
        self.announce(self.channels.BROKER_STATS, StatsUpdate(timestamp=time.time(), data=data))

    def status_change(self, *, connected: bool, state: LinkState = "connected") -> None:
        """Announce that the MQTT session came or went."""
        change = StatusChange(
            connected=connected, timestamp=time.time(), reason="as told", state=state
        )
        self.announce(self.channels.BROKER_STATUS, change)

    def clients(self, *client_ids: str) -> None:
        """Announce the known clients."""
        update = ClientsUpdate(
            timestamp=time.time(),
            clients=[ClientInfo(client_id=one, connected=True) for one in client_ids],
            connected=len(client_ids),
            known=len(client_ids),
        )
        self.announce(self.channels.CLIENT_LIST, update)

    def topics(self, *entries: tuple[str, bytes]) -> None:
        """Put topics into the index and announce its counts."""
        now = time.time()
        for topic, payload in entries:
            entry = TopicEntry(
                topic=topic,
                payload=payload,
                size=len(payload),
                qos=0,
                retained=False,
                message_count=1,
                first_seen=now,
                last_seen=now,
                rate=0.1,
            )
            self.entry(entry)
        update = TopicsUpdate(
            timestamp=now,
            count=int(self.client.zcard(self.channels.topic_names)),
            new=len(entries),
            changed_count=len(entries),
            changed=[],
            limit=100_000,
            left_out=0,
        )
        self.announce(self.channels.TOPIC_LIST, update)

    def entry(self, entry: TopicEntry) -> None:
        """Put one entry into the index as it is."""
        self.client.zadd(self.channels.topic_names, {to_member(entry.topic): 0})
        self.client.hset(self.channels.topic_values, entry.topic, codec.pack(entry))

    def reply(self, reply: CommandReply) -> None:
        """Answer a command."""
        key = self.channels.reply(reply.id)
        self.client.lpush(key, codec.encode(reply))
        self.client.expire(key, 60)
