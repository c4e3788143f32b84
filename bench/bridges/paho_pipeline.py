"""The careful plan: a paho callback that only collects, and pipelines of up to 500 messages.

One thread does both: a second one would wait for the interpreter at each of paho's many small
reads, which was measured to be about half as fast. MQTT 3.1.1 is paho's faster half.
"""

import json
import os
import time

import paho.mqtt.client as mqtt
import redis
from paho.mqtt.enums import CallbackAPIVersion

MAX_BATCH = 500
MAX_WAIT_S = 0.005


def main() -> None:
    """Forward every message of ``#`` until killed."""
    bus = redis.Redis(port=int(os.environ["REDIS_PORT"]))
    batch: list[mqtt.MQTTMessage] = []

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        batch.append(message)

    def on_connect(client: mqtt.Client, *_details: object) -> None:
        client.subscribe("#", qos=int(os.environ["QOS"]))

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.on_connect = on_connect
    client.connect("127.0.0.1", int(os.environ["MQTT_BROKER_PORT"]))
    flushed_at = time.monotonic()
    while client.loop(MAX_WAIT_S) == mqtt.MQTT_ERR_SUCCESS:
        now = time.monotonic()
        if batch and (len(batch) >= MAX_BATCH or now - flushed_at > MAX_WAIT_S):
            _publish(bus, batch)
            batch.clear()
            flushed_at = now


def _publish(bus: redis.Redis, batch: list[mqtt.MQTTMessage]) -> None:
    pipeline = bus.pipeline(transaction=False)
    for message in batch:
        document = {
            "type": "message_received",
            "topic": message.topic,
            "payload": message.payload.decode(),
            "timestamp": time.time(),
        }
        pipeline.publish("mqtt:messages", json.dumps(document))
    pipeline.execute()


if __name__ == "__main__":
    main()
