"""rag: ask your own documents, and get answers whose every sentence opens the words it rests on."""

__version__ = "0.1.0"
