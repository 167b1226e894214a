"""The judge as a torch module: the encoder of the embedder, and its heads. Trained here, used by `rag/judging`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModel

from rag.embedding.model_folder import Model

# Rows of the heads' matrix, as `rag.judging.judge_file` has them.
START, END = 0, 1
ANSWERS, SUPPORTS = 0, 1


class Network(nn.Module):
    """An encoder with heads. The word embeddings are frozen, because the product shares them with the embedder.

    Each pair of texts is encoded once. The mean of the states gives the log-odds that the passage answers and that the evidence
    supports; each state gives the logits that the answer starts or ends there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # On CPUs eager attention is faster than the fused one in bfloat16: 1,650 against 1,458 tokens a second.
        self.encoder = AutoModel.from_pretrained(str(folder), attn_implementation="eager", add_pooling_layer=False)
        self.encoder.embeddings.word_embeddings.weight.requires_grad = False
        hidden = self.encoder.config.hidden_size
        self.whole = nn.Linear(hidden, 2)
        self.places = nn.Linear(hidden, 2)
        for head in (self.whole, self.places):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        # Without dropout: it costs a third of the time on a CPU, and a single pass over the data does not overfit.
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """From token ids and mask (pairs, length) to log-odds (pairs, 2) and logits of places (pairs, length, 2)."""
        states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        column = mask[..., None].float()
        mean = (states * column).sum(1) / column.sum(1)
        with torch.autocast("cpu", enabled=False):
            return self.whole(mean), self.places(states)

    def take(self, encoder: Model, heads: Mapping[str, NDArray[np.float32]]) -> None:
        """Load the weights of an earlier judge."""
        before = {f"encoder.{name}": value for name, value in encoder.tensors.items()} | dict(heads)
        known = self.state_dict()
        self.load_state_dict({name: torch.tensor(value) for name, value in before.items() if name in known}, strict=False)

    def trained(self) -> dict[str, Tensor]:
        """The trained tensors, by name."""
        return {name: value for name, value in self.state_dict().items() if "word_embeddings" not in name}
