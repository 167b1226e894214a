from email.message import EmailMessage

from rag.ingestion.mail import extract
from tests.ingestion import makers


def test_headers_and_body_are_lines_in_order():
    assert extract(makers.eml(["Satu é.", "Dua."])).text == (
        "Subject: Kabar\nFrom: Ani <ani@example.org>\nTo: Budi <budi@example.org>\nDate: Mon, 06 May 2024 07:08:09 +0000"
        "\n\nSatu é.\n\nDua."
    )


def mail(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in headers.items():
        made[name] = value
    return made


def test_a_mail_in_html_keeps_its_words_apart():
    made = mail(Subject="Kabar baik é")
    made.set_content("<h1>Judul</h1><p>satu</p><p>dua</p>", subtype="html")
    assert extract(made.as_bytes()).text == "Subject: Kabar baik é\n\nJudul\n\nsatu\n\ndua"


def test_of_alternatives_the_plain_one_is_read_and_attachments_are_not():
    made = mail(Subject="x")
    made.set_content("teks polos\n")
    made.add_alternative("<p>teks html</p>", subtype="html")
    made.add_attachment(b"lampiran", maintype="text", subtype="plain", filename="l.txt")
    assert extract(made.as_bytes()).text == "Subject: x\n\nteks polos"


def test_an_unknown_charset_and_a_broken_header_are_read_as_well_as_they_can():
    raw = b"Subject: =?nonsense?q?x?=\r\nDate: kemarin\r\nContent-Type: text/plain; charset=nonsense"
    raw += b"\r\n\r\nCaf\xc3\xa9 baru.\r\nDua.\r\n"
    said = extract(raw)
    assert said.text.endswith("Café baru.\nDua.")
    assert said.date == ""
