"""BM25 over words and their stems, in tantivy. The only importer of tantivy; what a word is, `rag.text` says.

An index is a folder of immutable files and the list of them (`meta.json`), which is replaced, never written into. So a folder
of hard links to the files of an older index can be changed by `update` while the older one is served.
"""

import errno
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import log1p
from pathlib import Path
from typing import cast

import tantivy
from tantivy import Occur, Query

from rag import text as texts

_WORDS, _STEMS = "words", "stems"
_FIELDS = (_WORDS, _STEMS)
# tantivy empties its heap into a segment when it is full. Memory is taken as it is needed, so a small update costs little.
_HEAP = 128_000_000
_LOCKS = (".tantivy-writer.lock", ".tantivy-meta.lock")
# A word in more than e^-1 of the chunks says little about any of them. Leaving such words out of a question changed nDCG@10 by
# -0.001 to +0.006 on six of seven development sets (clapnq: -0.008 with words, -0.001 with stems), and they are what makes a
# search long; where chunks are few, nothing is.
_LEAST_WEIGHT = 1.0
_MANY = 1000
# Up to so many documents are looked up by number, 7 ms; of more, a good part of the best hits are, and these are sifted.
_FEW = 1000
# A "word" longer than this is data (base64, a digest); its beginning finds it as well.
_LONGEST_WORD = 64
# Times that a temporary folder is swept, and seconds between two.
_SWEEPS, _PAUSE = 20, 0.02
# tantivy tells of the disk in words, with the system's number among them.
_OS_CODE = re.compile(r"(?:\bcode: |\bos error )(\d+)")


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """A chunk to be indexed: its number, its document's number and language, and its text."""

    chunk: int
    document: int
    language: str
    text: str


def update(folder: Path, *, removed: Collection[int], added: Iterable[LexicalEntry]) -> None:
    """Take the chunks of the documents `removed` out of the index in `folder`, and put `added` in.

    An empty folder is a new index. Writes into no file that is there, so they may be hard links. What it leaves is synced and
    without lock files. Raises OSError where the disk does not take it, ValueError where the folder's files are damaged.
    """
    with _translated(folder):
        schema = _schema()
        index = tantivy.Index(schema, str(folder))
        # One thread makes one segment of a small update, and leaves the other cores to the embedder.
        writer = index.writer(_HEAP, 1)
        try:
            if removed:
                # Not by term: `delete_documents_by_term` takes a number for a signed one, and deletes nothing.
                writer.delete_documents_by_query(Query.term_set_query(schema, "document", list(removed)))
            for entry in added:
                writer.add_document(_document(entry, schema))
        except ValueError:
            # The thread that writes has ended: only the commit tells why.
            writer.commit()
            raise
        writer.commit()
        writer.wait_merging_threads()
    for name in _LOCKS:
        (folder / name).unlink(missing_ok=True)


class LexicalIndex:
    """The index that `update` left, as it was when it was opened; it goes on when its folder is removed. Safe in threads."""

    def __init__(self, folder: Path, searcher: tantivy.Searcher) -> None:
        self._folder, self._searcher, self._schema = folder, searcher, _schema()

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """Open the index in `folder`, which may be read-only. Raises OSError or ValueError where a file lacks or is damaged."""
        # tantivy takes a lock, a file, beside those it opens. Links in a folder of our own let it do so elsewhere.
        with _translated(folder), _temporary_folder() as links:
            for path in folder.iterdir():
                (links / path.name).symlink_to(path.absolute())
            index = tantivy.Index.open(str(links))
            index.config_reader("manual")
            return cls(folder, index.searcher())

    def __len__(self) -> int:
        """The number of chunks."""
        return int(self._searcher.num_docs)

    def search(
        self, question: str, language: str, count: int, documents: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """The `count` chunks with the highest BM25 score, best first; of these documents only, where they are given."""
        words = Query.boolean_query(self._word_queries(question, language))
        if documents is None:
            return self._hits(words, count)
        if len(documents) <= _FEW:
            return self._hits(self._within("document", documents, words), count)
        return self._sifted(words, count, frozenset(documents))

    def _sifted(self, words: Query, count: int, documents: frozenset[int]) -> list[tuple[int, float]]:
        """The best hits that lie in one of many documents: ever more hits are fetched until enough of them do."""
        fetched = count
        while True:
            fetched *= 4
            hits = self._best(words, fetched)
            owners = self._searcher.fast_field_values("document", [address for _, address in hits])
            inside = [hit for hit, owner in zip(hits, owners, strict=True) if owner in documents]
            if len(inside) >= count or len(hits) < fetched:
                return self._numbered(inside[:count])

    def scores(self, question: str, language: str, chunks: Sequence[int]) -> list[float]:
        """The BM25 score of each of these chunks, 0 where no word of the question occurs."""
        words = Query.boolean_query(self._word_queries(question, language))
        found = dict(self._hits(self._within("chunk", chunks, words), len(chunks)))
        return [found.get(chunk, 0.0) for chunk in chunks]

    def information(self, question: str, language: str) -> float:
        """How much the question's words say: the BM25 score of a chunk of average length that has each of them once.

        A word that no chunk has counts most, so a score divided by this is the share of the question that a chunk covers.
        """
        terms = _terms(question, language)
        return sum(self._weight(field, word) for field in terms for word in set(terms[field]))

    def _weight(self, field: str, word: str) -> float:
        """The inverse document frequency of the word, as tantivy counts it."""
        having = self._searcher.doc_freq(field, word)
        return log1p((max(len(self), having) - having + 0.5) / (having + 0.5))

    def _word_queries(self, question: str, language: str) -> list[tuple[Occur, Query]]:
        terms = [(field, word) for field, words in _terms(question, language).items() for word in dict.fromkeys(words)]
        many = len(self) >= _MANY
        telling = [term for term in terms if self._weight(*term) >= _LEAST_WEIGHT] if many else terms
        return [(Occur.Should, Query.term_query(self._schema, field, word, "freq")) for field, word in telling or terms]

    def _within(self, field: str, numbers: Collection[int], words: Query) -> Query:
        # Not a term_set_query: with 100 numbers that takes 1.3 ms by itself, this 0.2 (at 100,000 chunks).
        chosen = [(Occur.Should, Query.term_query(self._schema, field, number, "basic")) for number in numbers]
        weightless = Query.const_score_query(Query.boolean_query(chosen), 0.0)
        return Query.boolean_query([(Occur.Must, weightless), (Occur.Must, words)])

    def _hits(self, query: Query, count: int) -> list[tuple[int, float]]:
        return self._numbered(self._best(query, count)) if count else []

    def _best(self, query: Query, count: int) -> list[tuple[float, tantivy.DocAddress]]:
        with _translated(self._folder):
            return self._searcher.search(query, count, count=False).hits

    def _numbered(self, hits: Sequence[tuple[float, tantivy.DocAddress]]) -> list[tuple[int, float]]:
        chunks = self._searcher.fast_field_values("chunk", [address for _, address in hits])
        return [(cast("int", chunk), float(score)) for chunk, (score, _) in zip(chunks, hits, strict=True)]


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("chunk", indexed=True, fast=True)
    builder.add_unsigned_field("document", indexed=True, fast=True)
    for field in _FIELDS:
        builder.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    return builder.build()


def _document(entry: LexicalEntry, schema: tantivy.Schema) -> tantivy.Document:
    fields = {name: " ".join(terms) for name, terms in _terms(entry.text, entry.language).items()}
    return tantivy.Document.from_dict({"chunk": entry.chunk, "document": entry.document, **fields}, schema)


def _terms(text: str, language: str) -> dict[str, list[str]]:
    """What is indexed of a text, by field. tantivy only has to cut it at the spaces."""
    words = [word[:_LONGEST_WORD] for word in texts.words(texts.normalise(text), language)]
    return {_WORDS: words, _STEMS: texts.stems(words, language)}


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, whatever threads of tantivy's make in it meanwhile.

    One looks at each index that is opened, behind a lock file. Python's own temporary folder gives up at that, and a whole
    index passed for a damaged one.
    """
    folder = Path(tempfile.mkdtemp(prefix="rag-"))
    try:
        yield folder
    finally:
        for _ in range(_SWEEPS):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(_PAUSE)


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Tantivy raises ValueError for everything, or panics: the disk's errors become OSError."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, ValueError) and type(error).__name__ != "PanicException":
            raise
        message = str(error)
        if code := _OS_CODE.search(message):
            raise OSError(int(code[1]), message, str(folder)) from error
        if "FileDoesNotExist" in message or "does not exist" in message:
            raise FileNotFoundError(errno.ENOENT, message, str(folder)) from error
        raise ValueError(message) from error
