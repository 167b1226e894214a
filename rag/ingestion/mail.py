"""From the bytes of a mail to its text and date. Attachments are not read; saved to the seeds, they are documents.

Python's own parser reads the mail: kreuzberg 4.10.4 joins the words of an HTML mail (`<p>a</p><p>b</p>` becomes "ab").
"""

from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message

from rag.ingestion.dates import first_day
from rag.ingestion.webpage import decoded, text_of
from rag.ingestion.wire import Extracted, cleaned

_SHOWN = ("Subject", "From", "To", "Cc", "Date")


def extract(raw: bytes) -> Extracted:
    """The headers that mail programs show, one per line, then the body. Raises SeedError for a body that is not text."""
    mail = message_from_bytes(raw)
    headers = "\n".join(f"{name}: {value}" for name in _SHOWN if (value := _header(mail, name)))
    body = "\n\n".join(filter(None, (_text(part) for part in _shown(mail))))
    return Extracted(cleaned(f"{headers}\n\n{body}".strip("\n")), first_day([_header(mail, "Date")]))


def _header(mail: Message, name: str) -> str:
    value = mail.get(name)
    if value is None:
        return ""
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (MessageError, LookupError, ValueError):
        return " ".join(str(value).split())


def _shown(part: Message) -> list[Message]:
    """The parts that a mail program shows. Of alternatives, the plain text."""
    if part.get_content_disposition() == "attachment":
        return []
    if not part.is_multipart():
        return [part] if part.get_content_maintype() == "text" else []
    inner = [_shown(child) for child in part.get_payload() if isinstance(child, Message)]
    if part.get_content_subtype() == "alternative":
        return min(filter(None, inner), key=lambda shown: shown[0].get_content_subtype() != "plain", default=[])
    return [leaf for leaves in inner for leaf in leaves]


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    if not raw.strip():
        return ""
    try:
        text = raw.decode(part.get_content_charset("utf-8"))
    except (UnicodeDecodeError, LookupError):
        text = decoded(raw)
    return (text_of(text) if part.get_content_subtype() == "html" else text).strip("\r\n")
