from rag.web.stages import AFTER, BEFORE, STAGES, WAIT, Stage, spans

SECONDS = {"load": 1.0, "search": 2.0, "judge": 3.0, "first_token": 4.0, "write": 5.0, "cite": 6.0}


def test_stages_lie_before_the_passages_and_up_to_the_answer() -> None:
    found = spans(SECONDS, found=10 * 10**9, waited=0.5, ended=30 * 10**9)
    assert [(s.name, s.start / 1e9, s.end / 1e9) for s in found] == [
        ("load", 7.0, 8.0),
        ("search", 8.0, 10.0),
        ("wait", 10.0, 10.5),
        ("judge", 12.0, 15.0),
        ("first_token", 15.0, 19.0),
        ("write", 19.0, 24.0),
        ("cite", 24.0, 30.0),
    ]
    assert tuple(s.name for s in found) == STAGES == (*BEFORE, WAIT, *AFTER)


def test_a_refusal_has_no_stages_after_the_judge() -> None:
    seconds = {"load": 1.0, "search": 2.0, "judge": 3.0, "unknown": 9.0}
    found = spans(seconds, found=10 * 10**9, waited=0.0, ended=13 * 10**9)
    assert [s.name for s in found] == ["load", "search", "wait", "judge"]
    assert found[-1] == Stage("judge", 10 * 10**9, 13 * 10**9)
