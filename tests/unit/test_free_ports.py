"""The ports that servers of the tests and of the benchmark get."""

import socket
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.support.ports import KERNELS, LOWEST, free_port


def test_nobody_else_takes_a_port_before_its_server_does(tmp_path: Path) -> None:
    """P85: several processes ask at once: each port is handed out once, and none is the kernel's.

    A port of the kernel's own range goes to the next outgoing connection, or to the next who asks.
    """
    ask = partial(_ports, tmp_path / "counter")
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        ports = [port for found in pool.map(ask, [100] * 4) for port in found]
    assert len(set(ports)) == 400
    assert max(ports) < int(KERNELS.read_text().split()[0])
    assert min(ports) >= LOWEST


def test_a_port_in_use_is_passed_over(tmp_path: Path) -> None:
    """What somebody listens on is not handed out, and a counter that says nothing begins anew."""
    counter = tmp_path / "counter"
    counter.write_text("nonsense")
    first = free_port(counter)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first + 1))
        assert free_port(counter) > first + 1


def _ports(counter: Path, count: int) -> list[int]:
    return [free_port(counter) for _ in range(count)]
