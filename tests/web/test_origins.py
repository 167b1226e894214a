import pytest

from rag.errors import AccessRefused
from rag.web.guard.browsers import is_loopback, require_loopback, require_own_page

HOST = "rag.example:8000"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "rag.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_what_only_this_machine_reaches(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "192.168.1.2", "8.8.8.8", "localhost.example", "notlocalhost", "127.0.0.1.x"]
)
def test_what_others_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"])
def test_this_machine_may_be_named(host: str) -> None:
    require_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "[::1",
        "192.168.1.2",
        ":8000",
    ],
)
def test_another_name_is_refused(host: str) -> None:
    with pytest.raises(AccessRefused, match="make a key: rag keys create NAME"):
        require_loopback(host)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "http://rag.example:8000"},
        {"origin": "https://RAG.example:8000"},
        # A proxy changed Host; what the browser says of the site stands.
        {"sec-fetch-site": "same-origin", "origin": "https://docs.example"},
        {"sec-fetch-site": "cross-site", "origin": "https://friend.example"},
    ],
)
def test_our_own_page_and_programs_may_change_things(headers: dict[str, str]) -> None:
    require_own_page("POST", {"host": HOST, **headers}, {"https://friend.example"})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "null", "host": "null"},
        {"origin": "http://rag.example:8000.evil.example"},
        {"origin": "http://rag.example"},
        {"origin": "https://friend.example.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://rag.example:3000"},
        {"sec-fetch-site": "cross-site", "origin": "http://rag.example:8000"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_a_page_elsewhere_may_not(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(AccessRefused, match="name the origin in RAG_CORS_ORIGINS"):
        require_own_page(method, {"host": HOST, **headers}, {"https://friend.example"})
    require_own_page("GET", {"host": HOST, **headers}, ())
