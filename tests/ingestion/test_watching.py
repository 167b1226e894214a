"""On the real file system, with the real watcher. Waiting ends when what is waited for is there."""

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import SeedError
from rag.ingestion import watching

pytestmark = pytest.mark.slow("waits for bursts of changes to end")
PATIENCE = 30


class Watcher:
    """Takes items in a thread of its own; a test says when each has been dealt with."""

    def __init__(self, folder: Path) -> None:
        self._items: queue.Queue[int | Exception] = queue.Queue()
        self._done = threading.Semaphore(0)
        self._folder = folder
        self.stopped = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            for number, _ in enumerate(watching.changes(self._folder)):
                self._items.put(number)
                self._done.acquire()
                if self.stopped:
                    return
        except Exception as error:  # noqa: BLE001 - the test shows it
            self._items.put(error)

    def next(self) -> None:
        item = self._items.get(timeout=PATIENCE)
        assert isinstance(item, int), item

    def go_on(self) -> None:
        self._done.release()

    def is_silent(self) -> bool:
        """Whether nothing comes, for longer than a burst is waited for."""
        try:
            self._items.get(timeout=3 * watching._QUIET / 1000)
        except queue.Empty:
            return True
        return False


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short wait for the end of a burst, where a burst that is taken for two does no harm."""
    monkeypatch.setattr(watching, "_QUIET", 100)


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    folder = tmp_path / "seeds"
    folder.mkdir()
    return folder


@pytest.fixture
def watcher(seeds: Path) -> Iterator[Watcher]:
    made = Watcher(seeds)
    made.next()
    yield made
    made.stopped = True
    made.go_on()
    (seeds / "last").mkdir(parents=True, exist_ok=True)


def test_a_folder_without_changes_gives_one_item(watcher: Watcher) -> None:
    watcher.go_on()
    assert watcher.is_silent()


def test_a_change_made_while_the_consumer_is_busy_gives_another(seeds: Path, watcher: Watcher) -> None:
    (seeds / "a.txt").write_text("satu")
    watcher.go_on()
    watcher.next()
    (seeds / "a.txt").write_text("dua")
    watcher.go_on()
    watcher.next()
    watcher.go_on()
    assert watcher.is_silent()


@pytest.mark.usefixtures("quick")
def test_each_kind_of_change_is_seen(seeds: Path, watcher: Watcher) -> None:
    def change(number: int) -> None:
        match number:
            case 0:
                (seeds / "deep" / "er").mkdir(parents=True)
            case 1:
                (seeds / "deep" / "er" / "a.txt").write_text("satu")
            case 2:
                (seeds / "deep" / "er" / "a.txt").rename(seeds / "b.txt")
            case 3:
                (seeds / "new").write_text("dua")
                (seeds / "new").replace(seeds / "b.txt")
            case 4:
                (seeds / "b.txt").unlink()
            case _:
                shutil.rmtree(seeds / "deep")

    for number in range(6):
        watcher.go_on()
        change(number)
        watcher.next()


def test_a_burst_is_one_item(seeds: Path, watcher: Watcher) -> None:
    for n in range(200):
        (seeds / f"{n}.txt").write_text("satu")
    watcher.go_on()
    watcher.next()
    watcher.go_on()
    assert watcher.is_silent()


@pytest.mark.usefixtures("quick")
def test_a_folder_that_is_made_anew_is_watched_again(seeds: Path, watcher: Watcher) -> None:
    """As a checkout or a synchronisation does; the system watches the folder that was, not its name."""
    watcher.go_on()
    shutil.rmtree(seeds)
    watcher.next()
    seeds.mkdir()
    watcher.go_on()
    watcher.next()
    (seeds / "a.txt").write_text("satu")
    watcher.go_on()
    watcher.next()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="there is no folder"):
        next(watching.changes(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("")
    with pytest.raises(SeedError, match="there is no folder"):
        next(watching.changes(tmp_path / "file"))
