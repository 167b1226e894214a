import pytest

from rag.ingestion.webpage import extract, text_of

BODIES = {
    "<h2>Judul</h2>kata <b>lepas</b>an<p>alinea</p><div>b<div>c</div></div>": "Judul\n\nkata lepasan\n\nalinea\n\nb\n\nc",
    "<p>satu\n  dua<br>tiga<br><br>empat</p>": "satu dua\ntiga\n\nempat",
    "<ul><li>satu<li>dua</ul>tiga": "satu\ndua\n\ntiga",
    "<table><tr><th>Nama<th>Umur<tr><td>Ani Ayu<td>12</table>x": "Nama\tUmur\nAni Ayu\t12\n\nx",
    "<table><tr><td><p>a</p><p>b</p></td><td><p>c</p></td></tr><tr><td></td><td>d</td></tr></table>": "a\n\nb\tc\nd",
    "<pre>  dua\n    empat\n</pre>": "  dua\n    empat\n",
    "a<script>var x = '<p>';</script><style>p {}</style><template>t</template>b": "ab",
    "<![if !supportLists]>1. <![endif]>satu &amp; dua&nbsp;tiga": "1. satu & dua\xa0tiga",
    "<p>satu</p><!-- tidak --><p>dua": "satu\n\ndua",
    "1 < 2 dan 3 > 2": "1 < 2 dan 3 > 2",
}


@pytest.mark.parametrize("body", BODIES)
def test_a_page_is_what_its_reader_sees(body):
    assert text_of(f"<html><head><title>Judul lain</title></head><body>{body}</body></html>") == BODIES[body]


def test_a_title_that_is_never_closed_hides_the_head_only():
    assert text_of("<head><title>Judul<body><p>isi</p>") == "isi"


@pytest.mark.parametrize(("charset", "stated"), [("cp1252", "iso-8859-1"), ("cp1251", "windows-1251"), ("koi8-r", "koi8-r")])
def test_a_page_is_decoded_as_it_says(charset, stated):
    words = "Café" if charset == "cp1252" else "Кошка ест рыбу"
    assert (
        extract(f'<meta http-equiv="Content-Type" content="text/html; charset={stated}"><p>{words}'.encode(charset)).text
        == words
    )


@pytest.mark.parametrize(
    ("head", "day"),
    [
        ('<meta name="date" content="2024-05-06">', "2024-05-06"),
        ('<meta itemprop="datePublished" content="20240506T10:00">', "2024-05-06"),
        (
            '<meta name="date" content="2020-01-01"><meta property="article:published_time" content="2024-05-06T23:00+07:00">',
            "2024-05-06",
        ),
        ('<meta name="date" content="kemarin"><meta name="dc.date" content="2024-05-06">', "2024-05-06"),
        ("", ""),
    ],
)
def test_the_day_of_a_page(head, day):
    assert extract(f"<html><head>{head}</head><body>isi".encode()).date == day
