"""Invented devices below ``demo/``, for looking at the dashboard without a plant of one's own.

A program of its own that plays the devices, with an MQTT connection of its own. The values drift
slowly and hang together, so that charts look like something; nothing here claims to be real.
"""

import math
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_dashboard.config import MqttSettings
from mqtt_dashboard.service import StopSignal

ROOT: Final = "demo"
CLIENT_ID: Final = "demo-devices"
STATUS_TOPIC: Final = f"{ROOT}/status"
TICK_S: Final = 0.25

_BUILDINGS: Final = {"north": 3, "south": 2}
_ROOMS: Final = ("101", "102", "103", "104")
_MACHINES: Final = ("press-1", "press-2", "lathe-1", "oven-1", "packer-1", "conveyor-1")
_METERS: Final = ("grid", "solar", "workshop", "cooling", "lighting", "charging")
_NEXT_STATES: Final = {
    "running": ("running", "running", "running", "idle", "fault"),
    "idle": ("running", "idle"),
    "fault": ("fault", "maintenance"),
    "maintenance": ("maintenance", "idle"),
}


@dataclass(frozen=True)
class Publication:
    """One message a device sends."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass
class Room:
    """A room's sensor: temperature, humidity and CO2 follow the people in it."""

    topic: str
    battery: float
    temperature: float = 21.0
    humidity: float = 45.0
    co2: float = 520.0
    people: int = 0

    def step(self, rng: random.Random, seconds: float) -> Publication:
        """Let ``seconds`` pass and report."""
        if rng.random() < 0.05:
            self.people = rng.choice((0, 0, 1, 2, 4, 7))
        pace = seconds / 60
        self.temperature += (20.5 + 0.4 * self.people - self.temperature) * pace * 0.2
        self.temperature += rng.gauss(0, 0.03)
        self.humidity += (42 + self.people - self.humidity) * pace * 0.1 + rng.gauss(0, 0.08)
        self.co2 += (450 + 130 * self.people - self.co2) * pace + rng.gauss(0, 3)
        self.battery = max(0.0, self.battery - 0.0004 * pace)
        return _json(
            self.topic,
            {
                "temperature": round(self.temperature, 2),
                "humidity": round(self.humidity, 1),
                "co2": round(self.co2),
                "occupied": self.people > 0,
                "battery": round(self.battery, 1),
                "unit": {"temperature": "C", "humidity": "%", "co2": "ppm"},
            },
        )


@dataclass
class Machine:
    """A machine that runs, idles, and now and then breaks."""

    name: str
    state: str = "running"
    parts: int = 0
    speed: float = 0.0

    def step(self, rng: random.Random) -> Iterator[Publication]:
        """Let a second pass and report; a new state is retained and sent at QoS 1."""
        if rng.random() < 0.03:
            state = rng.choice(_NEXT_STATES[self.state])
            if state != self.state:
                self.state = state
                yield self.status()
        wanted = 1450.0 if self.state == "running" else 0.0
        self.speed += (wanted - self.speed) * 0.3 + (rng.gauss(0, 6) if wanted else 0)
        if self.state == "running" and rng.random() < 0.5:
            self.parts += 1
        yield _json(
            f"{ROOT}/machines/{self.name}/telemetry",
            {
                "speed_rpm": round(max(0.0, self.speed)),
                "parts": self.parts,
                "vibration_mm_s": round(0.4 + abs(rng.gauss(self.speed / 900, 0.15)), 2),
            },
        )

    def status(self) -> Publication:
        """Report the state, retained."""
        topic = f"{ROOT}/machines/{self.name}/state"
        return Publication(topic, self.state.encode(), qos=1, retain=True)


@dataclass
class Plant:
    """All devices; the same seed tells the same story."""

    seed: int = 1
    rng: random.Random = field(init=False)
    rooms: list[Room] = field(init=False)
    machines: list[Machine] = field(init=False)
    energy: dict[str, float] = field(init=False)
    ticks: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - scenery, not secrets
        self.rooms = [
            Room(f"{ROOT}/buildings/{building}/floor-{floor}/room-{floor}{room}/climate", 100.0)
            for building, floors in _BUILDINGS.items()
            for floor in range(1, floors + 1)
            for room in _ROOMS
        ]
        for room in self.rooms:
            room.temperature += self.rng.uniform(-1.5, 2.5)
            room.humidity += self.rng.uniform(-6, 8)
            room.battery -= self.rng.uniform(0, 60)
        self.machines = [Machine(name) for name in _MACHINES]
        self.energy = {name: self.rng.uniform(1_000, 90_000) for name in _METERS}

    def retained(self) -> Iterator[Publication]:
        """Yield what devices announce once, retained."""
        for machine in self.machines:
            yield machine.status()
        for building, floors in _BUILDINGS.items():
            info = {"building": building, "floors": floors, "rooms": floors * len(_ROOMS)}
            yield _json(f"{ROOT}/buildings/{building}/info", info, qos=1, retain=True)

    def tick(self) -> Iterator[Publication]:
        """Let a quarter of a second pass; about 30 messages a second in all."""
        self.ticks += 1
        # Each room reports every 2 s, each at its own moment.
        for number, room in enumerate(self.rooms):
            if (self.ticks + number) % 8 == 0:
                yield room.step(self.rng, 2.0)
        for number, machine in enumerate(self.machines):
            if (self.ticks + number) % 4 == 0:
                yield from machine.step(self.rng)
        for number, name in enumerate(_METERS):
            if (self.ticks + number) % 4 == 1:
                yield from self._meter(name)
        if self.ticks % 4 == 2:
            yield self._frame()

    def _meter(self, name: str) -> Iterator[Publication]:
        phase = _METERS.index(name)
        watts = 900 + 700 * math.sin(self.ticks / 240 + phase) + self.rng.gauss(0, 25)
        self.energy[name] += watts / 3_600_000
        base = f"{ROOT}/energy/{name}"
        yield Publication(f"{base}/power_w", f"{watts:.1f}".encode())
        if self.ticks % 20 < 4:
            yield Publication(f"{base}/energy_kwh", f"{self.energy[name]:.3f}".encode(), qos=1)

    def _frame(self) -> Publication:
        """Yield bytes that are no text: a counter, three axes as floats, a checksum."""
        axes = [self.rng.gauss(0, 0.2), self.rng.gauss(0, 0.2), self.rng.gauss(9.81, 0.1)]
        body = struct.pack(">BIfff", 0xFE, self.ticks, *axes)
        return Publication(f"{ROOT}/gateway/accelerometer/raw", body + bytes([sum(body) & 0xFF]))


class DemoPublisher:
    """The devices' connection to a broker."""

    def __init__(self, plant: Plant, host: str, port: int) -> None:
        self.plant = plant
        self.host = host
        self.port = port
        self.published = 0
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=CLIENT_ID, protocol=paho.MQTTv311
        )
        # Bounds what paho holds back while the broker is away.
        self.client.max_queued_messages_set(200)

    def run(self, stopped: StopSignal) -> None:
        """Publish until ``stopped`` is set; a lost broker is tried again."""
        self.client.will_set(STATUS_TOPIC, "offline", qos=1, retain=True)
        self.client.on_connect = self._announce
        self.client.connect_async(self.host, self.port, keepalive=30)
        self.client.loop_start()
        try:
            while not stopped.wait(TICK_S):
                if self.client.is_connected():
                    for publication in self.plant.tick():
                        self._publish(publication)
        finally:
            if self.client.is_connected():
                self._clear()
            self.client.disconnect()
            self.client.loop_stop()

    def _announce(
        self, _client: object, _data: object, _flags: object, reason: object, _: object
    ) -> None:
        if reason == 0:
            self._publish(Publication(STATUS_TOPIC, b"online", qos=1, retain=True))
            for publication in self.plant.retained():
                self._publish(publication)

    def _clear(self) -> None:
        """Take the retained messages back: nothing invented stays in the broker."""
        topics = [STATUS_TOPIC, *(message.topic for message in self.plant.retained())]
        receipts = [self.client.publish(topic, b"", qos=1, retain=True) for topic in topics]
        receipts[-1].wait_for_publish(1.0)

    def _publish(self, message: Publication) -> None:
        self.client.publish(message.topic, message.payload, message.qos, message.retain)
        self.published += 1


def sign_in(client: paho.Client, settings: MqttSettings) -> None:
    """Use the credentials, TLS and transport of the settings; to be called before connecting."""
    if settings.username is not None:
        password = settings.password.get_secret_value() if settings.password else None
        client.username_pw_set(settings.username, password)
    if settings.transport == "websockets":
        client.transport = "websockets"
        client.ws_set_options(settings.ws_path)
    if settings.tls:
        client.tls_set(settings.ca_file, settings.cert_file, settings.key_file)


def _json(
    topic: str, body: dict[str, object], *, qos: int = 0, retain: bool = False
) -> Publication:
    return Publication(topic, msgspec.json.encode(body), qos, retain)
