"""What a socket may send at all."""

import pytest

from mqtt_dashboard.dashboard.packets import is_sound


@pytest.mark.parametrize(
    "packet",
    [
        "1", "3", "5", "6", "40", "40{}", '40{"token":"x"}', "40/,", "41", "41/,",
        '42["credit",{"frames":1}]', '427["subscribe",{"filter":"#"}]', '42/,["x"]', "431[]",
        '42/,12["x",null]', '4399[{"ok":true}]',
    ],
)  # fmt: skip
def test_what_clients_send_is_let_in(packet: str) -> None:
    """Everything that browsers and the Python client send."""
    assert is_sound(packet)


@pytest.mark.parametrize(
    "packet",
    [
        None, b"", b"4", b'42["x"]', "", "0", "2", "2probe", "3probe", "4", "7", "9", "b", "bAAAA",
        "x", "\u00b2", "\u0664", "\ud800", "40[]", "401", "40null", "40/x,", "40/x", "41x", "42",
        "42{}", "42[]", "42[1]", "42[null]", '42["x"', '42["x"]]', "42[NaN]", '42-1["x"]',
        '42/x,["x"]', '42//,["x"]', '42/?a=b,["x"]', "42" + "9" * 16 + '["x"]',
        "42" + "[" * 100_000, '42\u0661["x"]', "43", "43[]", "43x[]", "431", "431{}",
        "44", '44{"message":"x"}', '451-["x",{"_placeholder":true,"num":0}]',
        '45["x"]', "461-[]", "47", "48",
    ],
)  # fmt: skip
def test_what_is_no_packet_is_not(packet: object) -> None:
    """Binary parts, unknown kinds, other namespaces, broken JSON, what only servers send."""
    assert not is_sound(packet)
