"""The all-in-one start: a broker, a Redis and demo devices as child processes on loopback.

Nothing here is part of the services themselves; they are started as they would be by hand.
"""
