"""The context of the small model: what names its numbers, and how it is stopped."""

import threading

import numpy as np
import pytest

from rag import stopping
from rag.answering.local import context
from rag.answering.local.llama import LlamaReader
from rag.stopping import Stop, Stopped
from tests.answering.conftest import PASSAGE, QUESTION, logits_of

LONG = " ".join(f"{n}. {PASSAGE}" for n in range(12))


def test_the_key_names_all_that_changes_a_state() -> None:
    """Each parameter of a context but those that only say how large it is and how many work on it."""
    plain = context.parameters(2, 1024, 1)
    seen = {context.numbers(plain)}
    for name, value in {"type_k": 8, "type_v": 8, "flash_attn_type": 1, "rope_freq_base": 5e5, "rope_freq_scale": 0.5}.items():
        changed = context.parameters(2, 1024, 1)
        setattr(changed, name, value)
        seen.add(context.numbers(changed))
    assert len(seen) == 6
    assert context.numbers(context.parameters(1, 4096, 1)) == context.numbers(plain)


@pytest.mark.real
@pytest.mark.parametrize("passage", [LONG, "the task"])
def test_a_stop_reaches_the_model_within_a_batch_and_leaves_the_context_as_it_was(reader: LlamaReader, passage: str) -> None:
    """In the passage's first batch of 128 tokens, or in the task after a passage that is held."""
    held = PASSAGE if passage == "the task" else None
    reader._held.forget()
    before = logits_of(reader, PASSAGE)
    reader._held.forget()
    if held:
        reader._hold(held, 0)
    used = reader._held.used()
    stop = Stop()
    asked = f"{QUESTION} " * 12 if held else QUESTION
    with stopping.by(stop):
        timer = threading.Timer(0.05, stop.set)
        timer.start()
        with pytest.raises(Stopped):
            reader.judge(asked, held or passage)
    timer.join()
    assert reader._held.used() == used
    reader._held.forget()
    assert np.array_equal(logits_of(reader, PASSAGE), before)
