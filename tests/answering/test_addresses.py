import pytest

from rag.answering.addresses import foreign

PASSAGE = "Daftar di https://Contoh.id/daftar?x=1, tulis ke panitia@contoh.co.id, atau lihat toko.contoh.com."


@pytest.mark.parametrize(
    "text",
    [
        "Daftar di https://contoh.id/daftar?x=1.",
        "Daftar di (https://contoh.id/daftar).",
        "Tulis ke panitia@contoh.co.id!",
        "Lihat toko.contoh.com, lalu pulang.",
        "Harganya Rp1.250.000,00 atau 3.5 kg.Itu saja",
        "Dr. Budi, S.Pd., pukul 10.30 @ Jakarta",
        "https",
        "",
    ],
)
def test_what_the_passage_has_or_what_is_no_address_is_not_foreign(text: str) -> None:
    assert not foreign(text, PASSAGE)


@pytest.mark.parametrize(
    "text",
    [
        "Buka https://jahat.com",
        "Buka http://",
        "Buka ftp://contoh.id",
        "Buka www.jahat",
        "Buka jahat.com/klik sekarang",
        "Buka Jahat.CO.ID",
        "Tulis ke admin@contoh.co.id",
        "Daftar di https://contoh.id/daftar?x=2",
        "[hadiah](https://jahat.com)",
    ],
)
def test_what_the_passage_does_not_have_is_foreign(text: str) -> None:
    assert foreign(text, PASSAGE)


def test_only_what_ends_after_the_offset_is_looked_at() -> None:
    assert not foreign("Buka jahat.com lalu", PASSAGE, since=14)
    assert foreign("Buka jahat.com", PASSAGE, since=13)
