"""The MQTT side of the bridge: one link interface, its implementations, the `$SYS` dialects."""
