import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import QuestionError
from rag.retrieval import filters
from rag.types import Condition


@pytest.mark.parametrize(
    ("where", "conditions"),
    [
        ("", ()),
        ("   \n", ()),
        ("language=id", (Condition("language", "=", ("id",)),)),
        ("language = id , en", (Condition("language", "=", ("id", "en")),)),
        ("LANGUAGE=ID", (Condition("language", "=", ("id",)),)),
        ("language!=id", (Condition("language", "=", ("id",), negated=True),)),
        ("folder=Berita/2026", (Condition("folder", "=", ("Berita/2026",)),)),
        ('document="a b, c.pdf","and"', (Condition("document", "=", ("a b, c.pdf", "and")),)),
        ("document=*[x]?.txt", (Condition("document", "=", ("*[x]?.txt",)),)),
        ("folder=and and language=and", (Condition("folder", "=", ("and",)), Condition("language", "=", ("and",)))),
        ("date>=2026-01-02", (Condition("date", ">=", ("2026-01-02",)),)),
        ("date<2026", (Condition("date", "<", ("2026",)),)),
        ("date!=2026-01", (Condition("date", "=", ("2026-01",), negated=True),)),
        (
            "language=id and folder=berita AND date>=2026-01 and date<=2026-03",
            (
                Condition("language", "=", ("id",)),
                Condition("folder", "=", ("berita",)),
                Condition("date", ">=", ("2026-01",)),
                Condition("date", "<=", ("2026-03",)),
            ),
        ),
        ('document="a.txt"and\tlanguage=id', (Condition("document", "=", ("a.txt",)), Condition("language", "=", ("id",)))),
    ],
)
def test_what_a_filter_says(where: str, conditions: tuple[Condition, ...]) -> None:
    assert filters.parse(where) == conditions


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ("language", "syntax error in the filter at 'language'"),
        ("=id", "syntax error in the filter"),
        ("language=", "syntax error in the filter"),
        ("language==id", "syntax error in the filter"),
        ("language=>id", "syntax error in the filter"),
        ("document=a b.pdf", "needs `and` before 'b.pdf'"),
        ('document="a b.pdf', "syntax error in the filter"),
        ("language=id,", "needs `and`"),
        ("language=id and", "needs `and`"),
        ("language=id and and date=2026", "syntax error in the filter"),
        ("language=id or language=en", "needs `and`"),
        ("and language=id", "syntax error in the filter"),
        ("author=me", "unknown field author in the filter; use document, folder, language, date"),
        ("language>id", "compares language with = or !="),
        ("folder<=berita", "compares folder with = or !="),
        ("date=yesterday", "yesterday is not a date"),
        ("date>2026-1", "2026-1 is not a date"),
        ("date>2026-13", "2026-13 is not a date"),
        ("date>2026-02-30", "2026-02-30 is not a date"),
        ("date=٢٠٢٦", "٢٠٢٦ is not a date"),
        ('document=""', "is empty"),
        ("document=" + "x" * 3000, "characters"),
        ("language=" + ",".join(["id"] * 300), "values"),
        (" and ".join(["language=id"] * 300), "characters"),
        ("document=\udcff.txt", "cannot be written"),
    ],
)
def test_a_filter_that_says_nothing_is_refused_with_a_hint(where: str, problem: str) -> None:
    with pytest.raises(QuestionError) as caught:
        filters.parse(where)
    assert problem in caught.value.problem
    assert caught.value.hint


@given(st.one_of(st.text(), st.text('ab"=<>!, \nand2026-', max_size=60)))
def test_any_text_is_read_or_refused(where: str) -> None:
    try:
        conditions = filters.parse(where)
    except QuestionError:
        return
    assert all(condition.field in filters.FIELDS and condition.values for condition in conditions)
    assert bool(conditions) == bool(where.strip())


values = st.text(st.characters(codec="utf-8", exclude_characters='"'), min_size=1, max_size=20)
fields = st.sampled_from(["document", "folder"])
negations = st.booleans()


@given(st.lists(st.tuples(fields, negations, st.lists(values, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_quoted_values_come_back_as_they_were(said: list[tuple[str, bool, list[str]]]) -> None:
    where = " and ".join(
        f"{field}{'!=' if negated else '='}" + ",".join(f'"{value}"' for value in quoted) for field, negated, quoted in said
    )
    expected = tuple(Condition(field, "=", tuple(quoted), negated=negated) for field, negated, quoted in said)
    assert filters.parse(where) == expected
