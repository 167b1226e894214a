"""Text that holds no control token of any chat template. Pure.

In this process a document is tokenised without control tokens (`llama.py`). A server is sent one text, puts it into its model's
template and tokenises the whole, so that `<|im_end|>` in a document would end the turn, and what follows would be heard as
the system's word. The tokens of all models cannot be listed, but each is a run of signs without a space that begins with an
angle or a square bracket (`<|eot_id|>`, `</s>`, `<start_of_turn>`, `<<SYS>>`, `[/INST]`, `[|user|]`) or joins brackets
(`]~b]`, `>>ANSWER<<`). A space after such a bracket leaves none of them whole, and text that reads the same.
"""

import re

# `[12]` is a note's number far more often than a token, and "[ ] done" is none: they stay.
_OPENING = re.compile(r"<(?!\s)|\[(?![\d\s\]])|\](?=[~!<])")


def neutralise(text: str) -> str:
    """The text with a space after each sign that may begin a control token. Twice is as once."""
    return _OPENING.sub(lambda sign: sign[0] + " ", text)
