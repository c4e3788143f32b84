"""mq-bridge with one route, all of it in its Rust core: MQTT in, a Redis stream out.

It has no output for a Redis channel, so the counter follows the stream. Entries hold the payload
and an id, not the topic: no document is built, which is less than the others do.
"""

import os
from typing import Any

from mq_bridge import Route  # type: ignore[import-not-found]

BATCH = 1000
QUEUE = 10_000


def route(output: dict[str, Any]) -> dict[str, Any]:
    """Return the route from every topic to an output."""
    broker = os.environ["MQTT_BROKER_PORT"]
    source = {
        "url": f"mqtt://127.0.0.1:{broker}",
        "topic": "#",
        "client_id": "mq-bridge",
        "qos": int(os.environ["QOS"]),
        "protocol": "v5",
        "queue_capacity": QUEUE,
    }
    return {"input": {"mqtt": source}, "output": output, "batch_size": BATCH}


def main() -> None:
    """Run the route until killed."""
    store = f"redis://127.0.0.1:{os.environ['REDIS_PORT']}"
    output = {"redis_streams": {"url": store, "stream": "mqtt:messages"}}
    Route.from_config(route(output)).run()


if __name__ == "__main__":
    main()
