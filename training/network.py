"""The judge as torch sees it: the embedder's encoder, and three heads. Trained here, served by `rag/judging`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModel

from rag.embedding.folder import Model

# Rows of the heads' matrix, as `rag.judging.judge_file` has them.
START, END = 0, 1
ANSWERS, SUPPORTS = 0, 1


class Network(nn.Module):
    """An encoder whose word embeddings stay as they are, since they are shared with the embedder.

    Each pair of texts goes through it once: the mean of its states says whether the passage answers and whether the evidence
    supports, each state whether the answer starts or ends there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # On processors eager attention beats the fused one in bfloat16: 1,650 tokens a second against 1,458.
        self.encoder = AutoModel.from_pretrained(str(folder), attn_implementation="eager", add_pooling_layer=False)
        self.encoder.embeddings.word_embeddings.weight.requires_grad = False
        hidden = self.encoder.config.hidden_size
        self.whole = nn.Linear(hidden, 2)
        self.places = nn.Linear(hidden, 2)
        for head in (self.whole, self.places):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        # Without dropout: on a processor it costs a third of the time, and one pass over the data does not learn it by heart.
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(pairs, length) token numbers and mask to log-odds (pairs, 2) and the places' logits (pairs, length, 2)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        column = mask[..., None].float()
        mean = (states * column).sum(1) / column.sum(1)
        with torch.autocast("cpu", enabled=False):
            return self.whole(mean), self.places(states)

    def take(self, encoder: Model, heads: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on from a judge that was trained before."""
        before = {f"encoder.{name}": value for name, value in encoder.tensors.items()} | dict(heads)
        known = self.state_dict()
        self.load_state_dict({name: torch.tensor(value) for name, value in before.items() if name in known}, strict=False)

    def trained(self) -> dict[str, Tensor]:
        """The tensors that training changes, by name."""
        return {name: value for name, value in self.state_dict().items() if "word_embeddings" not in name}
