import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import SeedError, SeedLocked
from rag.ingestion.wire import Extracted, cleaned, packed, receive, send, unpacked


@given(st.text(), st.integers(0, 3))
def test_an_answer_comes_back_as_it_was(text, count):
    answer = Extracted(cleaned(text), "2024-05-06", tuple(range(min(count, len(cleaned(text))))), "application/pdf")
    assert unpacked(packed(answer)) == answer


def test_a_refusal_comes_back_as_one():
    with pytest.raises(SeedError, match="it is x; do y"):
        unpacked(packed(SeedError("it is x", "do y")))


def test_a_refusal_keeps_its_kind_and_an_unknown_one_is_a_plain_one():
    with pytest.raises(SeedLocked):
        unpacked(packed(SeedLocked("it is locked", "do y")))
    for kind in ("RagError", "StorageError", "os", "SeedError"):
        with pytest.raises(SeedError) as caught:
            unpacked(json.dumps({"kind": kind, "problem": "it is x", "hint": "do y"}).encode())
        assert type(caught.value) is SeedError


@given(st.binary() | st.sampled_from([b"{}", b"[]", b'{"text": 1}', b'{"text":"a","date":"","pages":[9],"media_type":""}']))
def test_anything_else_is_no_answer(frame):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own is one
        unpacked(frame)


@given(st.lists(st.binary()), st.integers(0, 20))
def test_frames_come_back_in_order_and_a_torn_one_is_the_end(frames, lost):
    stream = io.BytesIO()
    for frame in frames:
        send(stream, frame)
    whole = io.BytesIO(stream.getvalue())
    assert [receive(whole) for _ in frames] == frames
    assert receive(whole) is None
    torn = io.BytesIO(stream.getvalue()[: len(stream.getvalue()) - lost])
    got = list(iter(lambda: receive(torn), None))
    assert got == frames[: len(got)]


def test_a_frame_that_claims_too_much_is_not_waited_for():
    assert receive(io.BytesIO((10**12).to_bytes(8, "big") + b"x")) is None
