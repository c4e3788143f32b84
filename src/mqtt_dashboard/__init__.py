"""MQTT Dashboard: one bridge connection to a broker, Redis in the middle, many live viewers."""

__version__ = "0.1.0"
