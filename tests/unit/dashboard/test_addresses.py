"""Which address a request comes from, and which others it counts with."""

from mqtt_dashboard.dashboard.auth.addresses import Addresses, bucket_of


def test_ipv4_in_ipv6_is_ipv4() -> None:
    """A listener on `::` sees IPv4 clients as `::ffff:a.b.c.d`; they count as what they are."""
    none = Addresses([])
    assert none.of({"REMOTE_ADDR": "::ffff:192.0.2.7"}) == "192.0.2.7"
    assert none.of({"REMOTE_ADDR": "2001:db8::1"}) == "2001:db8::1"
    assert bucket_of("address", "::ffff:192.0.2.7") == bucket_of("address", "192.0.2.7")
    assert bucket_of("address", "::ffff:192.0.2.7") != bucket_of("address", "::ffff:192.0.2.8")
    assert bucket_of("address", "2001:db8::1") == bucket_of("address", "2001:db8::2")
    for listed in ("10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:10.1.2.3"):
        proxies = Addresses([listed])
        for peer in ("10.1.2.3", "::ffff:10.1.2.3"):
            asked = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "::ffff:192.0.2.9"}
            assert proxies.from_proxy(asked)
            assert proxies.of(asked) == "192.0.2.9"
    assert not Addresses(["10.0.0.0/8"]).from_proxy({"REMOTE_ADDR": "::10.1.2.3"})


def test_only_a_proxy_says_the_scheme() -> None:
    """The word of a listed peer counts, its last one; what is no scheme is no word."""
    proxies = Addresses(["10.0.0.1"])

    def scheme(peer: str, said: str | None) -> str:
        environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http"}
        return proxies.scheme(
            environ if said is None else {**environ, "HTTP_X_FORWARDED_PROTO": said}
        )

    for said in ("https", "HTTPS", "wss", "http, https"):
        assert scheme("10.0.0.1", said) == "https"
        assert scheme("127.0.0.1", said) == "http"
    for other in ("http", "ws", "", "ftp", "https, http", None):
        assert scheme("10.0.0.1", other) == "http"
