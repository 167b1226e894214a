"""Whatever happened to the seeds and the index, the index says what one says that is built from nothing."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from rag.indexing.embedded import draft, snapshot
from rag.indexing.embedded.snapshot import Snapshot
from tests.indexing.making import Chunks, Home, chunks, texts

# Words that no stemmer changes.
WORDS = ["kuda", "lima", "roti", "sapi", "tiga", "ubi"]
State = tuple[Chunks, dict[str, str], dict[str, list[tuple[str, int]]]]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(lambda words: " ".join(words).capitalize() + ".")
documents = st.lists(sentences, min_size=1, max_size=4).map(" ".join)
paths = st.sampled_from(["a.txt", "b.txt", "c.md", "folder/a.txt", "folder/deep/d.txt", "[e]*.txt"])


def hits(root: Path) -> dict[str, list[tuple[str, int]]]:
    """Which chunks each word finds, by path and range."""
    opened = Snapshot.open(root)
    places = {
        listed.first + i: (listed.path, piece.start)
        for segment in opened.segments
        for listed in segment.listed
        for i, piece in enumerate(segment.pieces(listed))
    }
    found = {word: sorted(places[number] for number, _ in opened.lexical.search(word, "id", 1000)) for word in WORDS}
    opened.close()
    return found


def state(root: Path) -> State:
    assert list(snapshot.verify(root)) == []
    return chunks(root), texts(root), hits(root)


class Growing(RuleBasedStateMachine):
    """Segments of three are merged, and few chunks are searched exactly: so that short histories reach every branch."""

    snapshots = Bundle("snapshots")

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.home, self.states, self.seeds = Home(self.folder / "home"), dict[str, State](), dict[str, str]()
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(draft, "_FAN_OUT", 3)
        self.patches.setattr(draft, "EXACT_MOST", 12)

    def teardown(self) -> None:
        self.patches.undo()
        shutil.rmtree(self.folder)

    @rule(path=paths, text=documents)
    def put(self, path: str, text: str) -> None:
        self.seeds[path] = text
        self.home.put(path, text)

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.seeds:
            path = data.draw(st.sampled_from(sorted(self.seeds)))
            del self.seeds[path]
            self.home.drop(path)

    @rule(data=st.data(), to=paths, keeping=st.booleans())
    def copy_or_rename(self, data: st.DataObject, to: str, keeping: bool) -> None:
        if self.seeds:
            path = data.draw(st.sampled_from(sorted(self.seeds)))
            self.put(to, self.seeds[path])
            if not keeping and path != to:
                del self.seeds[path]
                self.home.drop(path)

    @rule(target=snapshots, anew=st.booleans())
    def build(self, anew: bool) -> str:
        if not self.seeds:
            self.put("a.txt", "Kuda lima.")
        name = self.home.build(anew=anew).snapshot
        self.states[name] = state(self.home.root)
        self.matches_one_from_nothing()
        return name

    def matches_one_from_nothing(self) -> None:
        other = Home(self.folder / "other")
        other.put_all(self.seeds)
        shutil.rmtree(other.root, ignore_errors=True)
        other.build()
        assert self.states[snapshot.current_id(self.home.root) or ""] == state(other.root)
        assert texts(self.home.root) == self.seeds

    @rule(name=snapshots)
    def go_back(self, name: str) -> None:
        if name in {manifest.id for manifest in self.home.index.stored()}:
            self.home.index.rollback(name)
            assert state(self.home.root) == self.states[name]

    @rule(keep=st.integers(1, 3))
    def prune(self, keep: int) -> None:
        self.home.index.prune(keep)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        assert not self.home.index.interrupted()

    @invariant()
    def what_serves_can_be_opened(self) -> None:
        if name := snapshot.current_id(self.home.root):
            assert texts(self.home.root) == self.states[name][1]


TestGrowing = Growing.TestCase
TestGrowing.settings = settings(
    max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
