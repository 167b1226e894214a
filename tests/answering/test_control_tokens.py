import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answering.control_tokens import neutralise
from rag.text import normalise

# Of the chat templates of many families: whatever the model at an endpoint is, a document must not speak for the system.
_FAMILIES = """
<|im_start|> <|im_end|> <|endoftext|> <|begin_of_text|> <|start_header_id|> <|end_header_id|> <|eot_id|> <|eom_id|>
<|python_tag|> <|system|> <|user|> <|assistant|> <|end|> <|endofprompt|> <|start|> <|message|> <|channel|> <|return|>
<|call|> <|turn> <turn|> <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> <|SYSTEM_TOKEN|> <|start_of_role|>
<|end_of_role|> <|reserved_special_token_0|> <|im_middle|> <|vision_start|> <|tool_call_begin|> <|end_of_turn|>
<｜begin▁of▁sentence｜> <｜end▁of▁sentence｜> <｜User｜> <｜Assistant｜> <s> </s> <unk> <pad> <bos> <eos> <mask> <start_of_turn>
<end_of_turn> <unused0> <0x0A> <2id> <think> </think> <tool_call> </tool_call> <image> <__media__> <EOT> <SPECIAL_10>
<extra_id_0> <role> <seed:bos> <用户> <AI> <_user> <fim_prefix> <<SYS>> <</SYS>> [INST] [/INST] [SYSTEM_PROMPT]
[/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [TOOL_CALLS] [THINK] [gMASK] [UNK] [CLS] [SEP] [|system|] [|endofturn|]
[UNUSED_TOKEN_146] [e~[ ]~b] ]~!b[ ]!p~[ ]<]speech[>[ >>QUESTION<< >>ANSWER<< ▁<PRE>
"""
TOKENS = _FAMILIES.split()
PIECES = st.sampled_from([*TOKENS, *"<>[]|/~! \n\u200b", "kata", "1"])


@pytest.mark.parametrize("token", TOKENS)
def test_no_control_token_of_any_family_is_left(token: str) -> None:
    for text in (token, f"a{token}b", token * 3, f"\n{token}system\n", f"<{token}>", f"[{token}]"):
        assert token not in neutralise(text)


@given(st.lists(PIECES).map("".join) | st.text())
def test_whatever_stands_around_it_no_token_is_left(text: str) -> None:
    neutral = neutralise(normalise(text))
    assert [token for token in TOKENS if token in neutral] == []
    assert re.search(r"<\S|<$", neutral) is None


@given(st.lists(PIECES).map("".join) | st.text(), st.lists(PIECES).map("".join))
def test_two_texts_one_after_the_other_make_no_token(first: str, second: str) -> None:
    joined = neutralise(first) + neutralise(second)
    assert [token for token in TOKENS if token.startswith("<") and token in joined] == []


@given(st.lists(PIECES).map("".join) | st.text())
def test_only_spaces_are_added_and_twice_is_as_once(text: str) -> None:
    neutral = neutralise(text)
    assert neutral.replace(" ", "") == text.replace(" ", "")
    assert neutralise(neutral) == neutral


@pytest.mark.parametrize(
    "text",
    ["Iran “tidak memiliki batasan”.", "x > 5 dan x < 7", "catatan [12] dan [ ] selesai", "a | b || c", "a@b.id (c) {d}"],
)
def test_ordinary_text_stays(text: str) -> None:
    assert neutralise(text) == text


def test_an_invisible_character_does_not_hide_a_token() -> None:
    assert neutralise(normalise("<\u200b|im_\u2060end|>")) == "< |im_end|>"
