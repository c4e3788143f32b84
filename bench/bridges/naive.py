"""The naive plan, as a yardstick: a paho callback, `json.dumps`, one blocking PUBLISH each.

MQTT 3.1.1 is paho's default, and its faster half.
"""

import json
import os
import time

import paho.mqtt.client as mqtt
import redis
from paho.mqtt.enums import CallbackAPIVersion


def main() -> None:
    """Forward every message of ``#`` until killed."""
    bus = redis.Redis(port=int(os.environ["REDIS_PORT"]))

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        document = {
            "type": "message_received",
            "topic": message.topic,
            "payload": message.payload.decode(),
            "timestamp": time.time(),
        }
        bus.publish("mqtt:messages", json.dumps(document))

    def on_connect(client: mqtt.Client, *_details: object) -> None:
        client.subscribe("#", qos=int(os.environ["QOS"]))

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.on_connect = on_connect
    client.connect("127.0.0.1", int(os.environ["MQTT_BROKER_PORT"]))
    client.loop_forever()


if __name__ == "__main__":
    main()
