"""mqtt-bridge: the only MQTT client of the system; writes to Redis, takes commands from it."""
