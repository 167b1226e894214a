"""Questions that need two passages or a list, and others that need one passage or none, over a dozen invented documents.

    python benchmarks/several_passages.py

Only the gain that joins two passages was tuned on these (`_GAIN` in rag/answering/choosing.py, on seven of the questions).
"""

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from rag import settings
from rag.engine import Engine
from rag.types import Answer

DOCUMENTS = {
    "kerinci": "Gunung Kerinci adalah gunung berapi tertinggi di Sumatra. Ketinggiannya 3.805 meter di atas permukaan laut.",
    "rinjani": "Gunung Rinjani terletak di Pulau Lombok. Gunung ini memiliki ketinggian 3.726 meter.",
    "ari": "Ari Sudrajat lahir di Bandung pada 12 Mei 1961. Ia seorang pelukis yang banyak melukis pasar.",
    "bima": "Bima Wicaksana lahir di Solo pada tahun 1958. Penulis itu menerbitkan dua belas novel.",
    "acme": "Acme Corp reported revenue of 12 million dollars in 2023, its best year so far. Acme makes pumps in Surabaya.",
    "beta": "Beta Ltd. had a revenue of 9 million dollars in 2023 and employed 40 people. Beta sells pumps as well.",
    "jakarta": "Penduduk Jakarta berjumlah 10,6 juta jiwa pada tahun 2020. Jakarta adalah kota terbesar di Indonesia.",
    "surabaya": "Surabaya memiliki 2,9 juta penduduk menurut sensus 2020. Surabaya terkenal sebagai kota pahlawan.",
    "angin": "PT Angin Timur memproduksi sepeda di Malang sejak 1998.",
    "roda": "Di Malang juga berdiri PT Roda Emas, yang membuat sepeda lipat untuk anak-anak.",
    "toba": "Danau Toba berada di Sumatra Utara. Luasnya 1.130 kilometer persegi.",
    "beras": "Harga beras naik 12 persen pada bulan Maret karena kekeringan di Jawa.",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """The documents that must be cited (none for a refusal), and words of which the answer must have one."""

    question: str
    documents: frozenset[str]
    words: tuple[str, ...] = ()


QUESTIONS = (
    Expected("Mana yang lebih tinggi, Gunung Kerinci atau Gunung Rinjani?", frozenset({"kerinci", "rinjani"}), ("Kerinci",)),
    Expected("Berapa selisih ketinggian Kerinci dan Rinjani?", frozenset({"kerinci", "rinjani"}), ("3.805", "79")),
    Expected("Siapa yang lebih tua, Ari Sudrajat atau Bima Wicaksana?", frozenset({"ari", "bima"}), ("Bima",)),
    Expected("When were Ari Sudrajat and Bima Wicaksana born?", frozenset({"ari", "bima"}), ("1961",)),
    Expected("Which company had the higher revenue in 2023, Acme or Beta?", frozenset({"acme", "beta"}), ("Acme",)),
    Expected("Bandingkan jumlah penduduk Jakarta dan Surabaya.", frozenset({"jakarta", "surabaya"}), ("besar", "10,6")),
    Expected("Perusahaan apa saja yang membuat sepeda di Malang?", frozenset({"angin", "roda"}), ("Roda Emas",)),
    Expected("Which companies are selling or making pumps?", frozenset({"acme", "beta"}), ("Beta",)),
    Expected("Apa perbedaan pekerjaan Ari Sudrajat dan Bima Wicaksana?", frozenset({"ari", "bima"}), ("pelukis",)),
    Expected("Berapa luas Danau Toba dan tinggi Gunung Kerinci?", frozenset({"toba", "kerinci"}), ("1.130",)),
    Expected("Di mana Gunung Rinjani?", frozenset({"rinjani"}), ("Lombok",)),
    Expected("Berapa penduduk Surabaya?", frozenset({"surabaya"}), ("2,9",)),
    Expected("How many people did Beta employ?", frozenset({"beta"}), ("40",)),
    Expected("Kapan dan di mana Bima Wicaksana lahir?", frozenset({"bima"}), ("Solo",)),
    Expected("Mana yang lebih murah, Kerinci atau Rinjani?", frozenset()),
    Expected("Siapa yang lebih kaya, Ari Sudrajat atau Bima Wicaksana?", frozenset()),
)


def main() -> None:
    """Print a line for each question, and how many had the right documents and words."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(replace(settings.load(os.environ, {}), home=Path(folder)))
        engine.settings.seeds.mkdir()
        for name, text in DOCUMENTS.items():
            engine.add_bytes(text.encode(), f"{name}.txt")
        engine.rebuild()
        for several in (True, False):
            asked = [one for one in QUESTIONS if (len(one.documents) > 1) == several]
            shown = [_show(one, engine.ask(one.question)) for one in asked]
            print(f"{'several' if several else 'one or none'}: documents {sum(d for d, _ in shown)}/{len(shown)}, ", end="")
            print(f"words {sum(w for _, w in shown)}/{len(shown)}\n")


def _show(expected: Expected, answer: Answer) -> tuple[bool, bool]:
    cited = {Path(citation.path).stem for citation in answer.citations}
    right = cited == expected.documents
    said = not answer.answered if not expected.words else any(word in answer.text for word in expected.words)
    signs = "".join("+" if good else "-" for good in (right, said))
    print(f"{signs} {answer.confidence:.2f} {expected.question}\n     {answer.text} {sorted(cited)}")
    return right, said


if __name__ == "__main__":
    main()
