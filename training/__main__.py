"""`python -m training`: from public data to the judge's weights, in one command that goes on where it was interrupted."""

import argparse
import random
from pathlib import Path

import torch

from rag.embedding import folder
from rag.engine import Engine
from rag.judging.pairs import PairEncoder
from rag.settings import Settings
from rag.weights.catalogue import CATALOGUE, EMBEDDER
from training import batches, development, mixture
from training.loop import Plan, train
from training.network import Network

# About 75 minutes on two cores with bfloat16, of which the judge that is shipped was made.
_TOKENS = 7_000_000


def main() -> None:
    """Prepare the examples, train, and leave the best state in `--work`."""
    parsed = _parser().parse_args()
    torch.manual_seed(parsed.seed)
    random.seed(parsed.seed)
    engine = Engine(Settings(home=parsed.work))
    source = engine.weights.sentence_transformer(CATALOGUE[EMBEDDER])
    forbidden = mixture.questions_of(
        [*parsed.development.glob("*.questions.jsonl"), *parsed.development.glob("*.claims.jsonl")]
    )
    examples = mixture.load(mixture.prepare(parsed.data, parsed.work, engine, _Printer(), forbidden, seed=1))
    model = folder.read(source)
    encoder = PairEncoder(model)
    rows = [row for example in examples if (row := batches.row(example, encoder))]
    print(f"{len(rows)} examples, {sum(len(row.ids) for row in rows) / 1e6:.1f} million tokens", flush=True)
    seen = development.read(parsed.development, encoder)

    def look(network: Network) -> dict[str, float]:
        return {
            "answers": development.auroc(network, seen.questions, model.padding),
            "supports": development.auroc(network, seen.claims, model.padding),
        }

    plan = Plan(tokens=parsed.tokens, seed=parsed.seed)
    train(Network(source), rows, model.padding, plan, look, parsed.work / f"seed-{parsed.seed}")


class _Printer:
    """Says how far an index is."""

    def waiting(self) -> None:
        print("another build is at work", flush=True)

    def read(self, done: int, total: int) -> None:
        pass

    def embedded(self, done: int, total: int) -> None:
        print(f"embedded {done} of {total}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the public sets, as training/README.md lays them out"
    )
    parser.add_argument("--development", type=Path, required=True, help="folder of the development questions, to stop by")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is prepared, and for checkpoints")
    parser.add_argument("--tokens", type=int, default=_TOKENS, help="tokens to read in all")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
