"""Addresses of the web and of mail in what a model writes: it may copy one that its passage has, and make up none. Pure."""

import re

# Endings of names that stand in texts without `https://` or `www.`; of others a name cannot be told from `akhir.Awal`.
_ENDINGS = "com|net|org|info|biz|edu|gov|mil|id|my|sg|io|co|ai|app|dev|me|ly|gl|link|click|site|online|shop|top|xyz|ru|cn|tk"
_ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+]*://|\bwww\.)\S*"
    r"|\b[\w.+-]+@\w[\w.-]*"
    rf"|\b\w[\w-]*(?:\.[\w-]+)*\.(?:{_ENDINGS})\b(?:[/?#:]\S*)?",
    re.IGNORECASE,
)
# What may follow an address in a sentence.
_AFTER = ".,;:!?)]}>*_'\"»”’"


def foreign(text: str, passage: str, since: int = 0) -> bool:
    """Whether the text has an address, ending after the offset `since`, that does not stand in the passage."""
    found = (match[0] for match in _ADDRESS.finditer(text) if match.end() > since)
    return any(address.rstrip(_AFTER).casefold() not in passage.casefold() for address in found)
