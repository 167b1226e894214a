"""BM25 over words and their stems, with tantivy. The only importer of tantivy; `rag.text` cuts words and stems.

An index is a folder of immutable files and a list of them (`meta.json`), which is replaced and never written into. So `update`
may change a folder of hard links to the files of an older index while that one is searched.
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
# Bytes. tantivy writes a segment when its heap is full. Memory is allocated as needed, so a small update costs little.
_HEAP = 128_000_000
_LOCKS = (".tantivy-writer.lock", ".tantivy-meta.lock")
# A word in more than e^-1 of the chunks distinguishes few of them. Leaving such words out of a question changed nDCG@10 by
# -0.001 to +0.006 on six of seven development sets (clapnq: -0.008 with words, -0.001 with stems). They are what makes a search
# slow, so they stay in where there are fewer than `_MANY` chunks.
_LEAST_WEIGHT = 1.0
_MANY = 1000
# Allowed documents up to this number are part of the query (7 ms). Of more, a good share of the best hits is allowed, so hits
# are filtered.
_FEW = 1000
# Characters. A longer "word" is data (base64, a digest); its beginning finds it as well.
_LONGEST_WORD = 64
# Attempts to remove a temporary folder, and seconds between two.
_SWEEPS, _PAUSE = 20, 0.02
# tantivy reports errors of the disk as text, with the errno in it.
_OS_CODE = re.compile(r"(?:\bcode: |\bos error )(\d+)")


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """A chunk to be indexed: its number, its document's number and language, and its text."""

    chunk: int
    document: int
    language: str
    text: str


def update(folder: Path, *, removed: Collection[int], added: Iterable[LexicalEntry]) -> None:
    """Remove the chunks of the documents `removed` from the index in `folder`, and add `added`.

    An empty folder is a new index. Existing files are not written into, so they may be hard links. The result is synced, and
    has no lock files. Raises OSError if the disk does not accept it, ValueError if the folder's files are damaged.
    """
    with _translated(folder):
        schema = _schema()
        index = tantivy.Index(schema, str(folder))
        # One thread makes one segment of a small update, and leaves the other cores to the embedder.
        writer = index.writer(_HEAP, 1)
        try:
            if removed:
                # Not `delete_documents_by_term`: it takes the number for a signed one, and deletes nothing.
                writer.delete_documents_by_query(Query.term_set_query(schema, "document", list(removed)))
            for entry in added:
                writer.add_document(_document(entry, schema))
        except ValueError:
            # The writing thread has ended; only the commit raises the reason.
            writer.commit()
            raise
        writer.commit()
        writer.wait_merging_threads()
    for name in _LOCKS:
        (folder / name).unlink(missing_ok=True)


class LexicalIndex:
    """An index as it was when it was opened; it works on when its folder is removed. Safe to use from several threads."""

    def __init__(self, folder: Path, searcher: tantivy.Searcher) -> None:
        self._folder, self._searcher, self._schema = folder, searcher, _schema()

    @classmethod
    def open(cls, folder: Path) -> "LexicalIndex":
        """Open the index in `folder`, which may be read-only. Raises OSError or ValueError if a file is missing or damaged."""
        # tantivy creates a lock file beside those it opens. Through links, it does so in a folder of our own.
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
        """The `count` chunks with the highest BM25 scores, with these, best first; only of `documents`, if given."""
        words = Query.boolean_query(self._word_queries(question, language))
        if documents is None:
            return self._hits(words, count)
        if len(documents) <= _FEW:
            return self._hits(self._within("document", documents, words), count)
        return self._sifted(words, count, frozenset(documents))

    def _sifted(self, words: Query, count: int, documents: frozenset[int]) -> list[tuple[int, float]]:
        """The best hits in any of many documents: more and more hits are fetched until enough of them are."""
        fetched = count
        while True:
            fetched *= 4
            hits = self._best(words, fetched)
            owners = self._searcher.fast_field_values("document", [address for _, address in hits])
            inside = [hit for hit, owner in zip(hits, owners, strict=True) if owner in documents]
            if len(inside) >= count or len(hits) < fetched:
                return self._numbered(inside[:count])

    def scores(self, question: str, language: str, chunks: Sequence[int]) -> list[float]:
        """The BM25 score of each of these chunks; 0 if it has no word of the question."""
        words = Query.boolean_query(self._word_queries(question, language))
        found = dict(self._hits(self._within("chunk", chunks, words), len(chunks)))
        return [found.get(chunk, 0.0) for chunk in chunks]

    def information(self, question: str, language: str) -> float:
        """The BM25 score of a chunk of average length that has each word of the question once.

        A word that no chunk has counts most. So a chunk's score divided by this is the share of the question that it covers.
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
        # Not a term_set_query: with 100 numbers it takes 1.3 ms, this 0.2 (at 100,000 chunks).
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
    """The indexed terms of a text, by field. tantivy only splits them at spaces."""
    words = [word[:_LONGEST_WORD] for word in texts.words(texts.normalise(text), language)]
    return {_WORDS: words, _STEMS: texts.stems(words, language)}


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A folder that is removed afterwards, whatever files threads of tantivy create in it meanwhile.

    One of them creates a lock file for each index that is opened. `tempfile.TemporaryDirectory` fails at that, and an undamaged
    index was taken for a damaged one.
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
    """Translate errors of the disk to OSError: tantivy raises ValueError for everything, or panics."""
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
