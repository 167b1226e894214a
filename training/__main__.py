"""`python -m training`: from public data to the weights of the judge, in one command that can be interrupted and resumed."""

import argparse
import random
from pathlib import Path

import torch

from rag.cli.terminal import Progress
from rag.embedding import model_folder
from rag.engine import Engine
from rag.judging import judge_file
from rag.judging.small_judge import PairEncoder
from rag.settings import Settings
from rag.weights.catalogue import CATALOGUE, EMBEDDER, SHIPPED
from training import batches, development, preparing
from training.contamination import measured
from training.export import export
from training.loop import Data, Plan, train
from training.network import Network

# One pass: about 100 minutes on two cores with bfloat16.
_TOKENS = 8_000_000


def main() -> None:
    """Prepare the examples, train, and write the file of the judge to `--work`."""
    parsed = _parser().parse_args()
    torch.manual_seed(parsed.seed)
    random.seed(parsed.seed)
    engine = Engine(Settings(home=parsed.work))
    source = engine.models.weights.sentence_transformer(CATALOGUE[EMBEDDER])
    workshop = preparing.Workshop(parsed.data, parsed.work, engine, Progress())
    examples = preparing.load(preparing.prepare(workshop, measured(parsed.development), seed=1))
    model = model_folder.read(source)
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
    run = parsed.work / f"seed-{parsed.seed}"
    network = Network(source)
    if parsed.start:
        network.take(*judge_file.read_tensors(parsed.start, model))
    train(network, Data(rows, model.padding), plan, look, run)
    print(export(run / "best.pt", model, parsed.development, run / SHIPPED.file, parsed.start), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the public data sets, laid out as in training/README.md"
    )
    parser.add_argument(
        "--development", type=Path, required=True, help="folder of the development data, for early stopping and calibration"
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for prepared examples and checkpoints")
    parser.add_argument("--tokens", type=int, default=_TOKENS, help="number of tokens to train on")
    parser.add_argument("--start", type=Path, help="file of an earlier judge to continue from; the mean of both is written")
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
