from rag.web import sessions
from rag.web.sessions import Sessions


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_session_is_found_by_its_token_until_it_ends() -> None:
    kept = Sessions()
    token, session = kept.begin("digest")
    assert kept.find(token) == session
    assert (session.key, len(session.csrf)) == ("digest", 43)
    for other in ("", token[:-1], session.csrf, "\ud800"):
        assert kept.find(other) is None
    kept.end(token)
    kept.end(token)
    assert kept.find(token) is None


def test_each_login_has_a_token_of_its_own() -> None:
    kept = Sessions()
    made = [kept.begin("digest") for _ in range(3)]
    assert len({token for token, _ in made} | {session.csrf for _, session in made}) == 6


def test_a_session_ends_by_itself() -> None:
    clock = Clock()
    kept = Sessions(clock)
    token, _ = kept.begin("digest")
    clock.now = sessions.LASTS - 1
    assert kept.find(token)
    clock.now = sessions.LASTS
    assert kept.find(token) is None


def test_those_of_long_ago_make_room() -> None:
    kept = Sessions()
    tokens = [kept.begin("digest")[0] for _ in range(1001)]
    assert kept.find(tokens[0]) is None
    assert kept.find(tokens[1])
    assert kept.find(tokens[-1])
