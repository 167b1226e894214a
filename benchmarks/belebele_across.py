"""Writes Belebele's questions in one language with the answering passages in another.

usage: .venv/bin/python benchmarks/belebele_across.py DATA id en > id-en.questions.jsonl

The passages are parallel: belebele-id-NNNN is the translation of belebele-en-NNNN. The output is for `rag eval retrieval` and
`rag eval judge` with `--corpus DATA/belebele-en.corpus.jsonl`.
"""

import json
import sys
from pathlib import Path


def main() -> None:
    data, asking, reading = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    for line in (data / f"belebele-{asking}.questions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        row["relevant"] = [id_.replace(f"belebele-{asking}-", f"belebele-{reading}-") for id_ in row["relevant"]]
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
