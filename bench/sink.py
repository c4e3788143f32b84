"""How fast the load generator is alone: into a socket that discards everything but CONNECT."""

import socket
import threading

import msgspec

from bench.load import Load, Sent
from bench.worker import Worker


def sender_alone(load: Load) -> float:
    """Return messages per second that the generator writes when nobody slows it down."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_discard, args=(server,), daemon=True).start()
        port, document = server.getsockname()[1], msgspec.json.encode(load).decode()
        with Worker("bench.load", str(port), document) as sender:
            sent = sender.ask("go", Sent)
    return load.count / (sent.ended - sent.pieces[0][1])


def _discard(server: socket.socket) -> None:
    link, _address = server.accept()
    with link:
        link.recv(1024)
        link.sendall(b"\x20\x02\x00\x00")
        buffer = bytearray(1024 * 1024)
        while link.recv_into(buffer):
            pass
