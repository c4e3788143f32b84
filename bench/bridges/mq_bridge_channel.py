"""mq-bridge with an output of our own in Python: the document on the channel, in pipelines.

The nearest it comes to what the others do. The topic is not in the document, because mq-bridge
does not hand it on.
"""

import json
import os
import time
from typing import Any

import mq_bridge  # type: ignore[import-not-found]
import redis

from bench.bridges.mq_bridge import route


class Channel:
    """An output that publishes each batch in one pipeline."""

    def __init__(self) -> None:
        self._bus = redis.Redis(port=int(os.environ["REDIS_PORT"]))

    def send_batch(self, messages: list[Any]) -> None:
        """Publish one document per message."""
        pipeline = self._bus.pipeline(transaction=False)
        for message in messages:
            document = {
                "type": "message_received",
                "topic": None,
                "payload": message.payload.decode(),
                "timestamp": time.time(),
            }
            pipeline.publish("mqtt:messages", json.dumps(document))
        pipeline.execute()


def main() -> None:
    """Run the route until killed."""
    mq_bridge.register_endpoint("channel", lambda _name, _config: Channel())
    mq_bridge.Route.from_config(route({"channel": {}})).run()


if __name__ == "__main__":
    main()
