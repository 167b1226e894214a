"""Curves are drawn from evaluations built by hand. Skipped where matplotlib, an extra, is not installed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import QuestionError, StorageError
from rag.evaluation import pictures
from rag.evaluation.answer_measures import Point
from tests.evaluation.evaluations import ANSWERS, JUDGE

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn, in order."""
    pytest.importorskip("matplotlib")
    made: list[Any] = []
    create = pictures._figure

    def recorded() -> Any:
        made.append(create())
        return made[-1]

    monkeypatch.setattr(pictures, "_figure", recorded)
    return made


def lines(axes: Any) -> dict[str, list[tuple[float, float]]]:
    """The points of each line of the axes, by label."""
    return {line.get_label(): list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in axes.get_lines()}


def test_a_reliability_diagram_shows_the_bins_of_the_judge(figures: list[Any], tmp_path: Path) -> None:
    paths = pictures.draw(JUDGE, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["answers.png", "supports.png"]
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    curve, counts = figures[0].axes
    diagonal, drawn = lines(curve).values()
    assert diagonal == [(0, 0), (1, 1)]
    assert drawn == [(0.1, 0.0), (0.9, 1.0)]
    assert curve.get_title() == "answers: calibration error 0.100, 5 pairs"
    assert [bar.get_height() for bar in counts.patches] == [3, 2]


def test_without_claims_there_is_no_picture_of_support(figures: list[Any], tmp_path: Path) -> None:
    assert [path.name for path in pictures.draw(replace(JUDGE, support=()), tmp_path)] == ["answers.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.png"]


def test_the_curves_of_refusing_are_drawn(figures: list[Any], tmp_path: Path) -> None:
    path = pictures.draw_abstention(ANSWERS, tmp_path / "new")
    assert path.read_bytes().startswith(PNG)
    rates, shares = figures[0].axes
    (drawn,) = lines(rates).values()
    # Below the threshold 0.5 nothing is refused, and the precision is undefined.
    assert drawn[0] == (0.5, 0.75)
    assert len(drawn) == 51
    assert rates.get_title() == "refusing, 2 answerable and 1 others"
    assert set(lines(shares)) == {"others refused", "answerable refused", "the threshold in use"}
    assert lines(shares)["the threshold in use"] == [(0.35, 0), (0.35, 1)]


def test_a_share_that_is_undefined_is_not_drawn(figures: list[Any], tmp_path: Path) -> None:
    curve = tuple(Point(step / 100, None, None, 0.25) for step in range(101))
    pictures.draw_abstention(replace(ANSWERS, curve=curve), tmp_path)
    rates, shares = figures[0].axes
    assert list(lines(rates).values()) == [[]]
    assert set(lines(shares)) == {"answerable refused", "the threshold in use"}


def test_a_folder_that_cannot_be_created_is_a_storage_error(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        pictures.draw(JUDGE, tmp_path / "file" / "drawn")
    with pytest.raises(StorageError, match="a file stands where a folder should be"):
        pictures.draw_abstention(ANSWERS, tmp_path / "file" / "drawn")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    with pytest.raises(QuestionError) as caught:
        pictures.require()
    assert str(caught.value) == "pictures need matplotlib; run pip install 'rag[evaluation]'"
