import pytest

from rag.web.mcp import mounted


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_on_a_loopback_address_only_its_names_may_ask(host: str) -> None:
    allowed = mounted._allowed(host)
    assert {"127.0.0.1:*", "localhost", "[::1]:*"} <= set(allowed["allowed_hosts"])
    assert "http://localhost:*" in allowed["allowed_origins"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.3", "::", "rag.example"])
def test_elsewhere_the_service_does_not_know_its_names(host: str) -> None:
    assert mounted._allowed(host) == {"enable_dns_rebinding_protection": False}
