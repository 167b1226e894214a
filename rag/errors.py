"""The error tree. The text of every error is one line: what is wrong, then how to fix it.

The numbers are the exit code of the command line and the HTTP status. An error without one has that of its parent.

RagError                      exit  HTTP   when
├── QuestionError                2   400   the question is empty or too long, or a parameter or setting is invalid
│   ├── KeyRefused                   401   no API key, or an unknown, revoked or expired one
│   ├── AccessRefused                403   the key's scope is too small, or a cross-site request
│   ├── NotFound                     404   no such document, snapshot, job, model or key
│   ├── TooSlow                      408   the request took too long to arrive
│   ├── DocumentChanged              409   the file has changed since it was indexed
│   ├── IndexBusy                    409   a build of the index is running
│   ├── TooLarge                     413   a file, or the number of files, is over the limit
│   └── TooManyRequests              429   the key's rate limit is reached
│       └── TooManyQuestions               the queue of questions is full
├── SeedError                    3   422   a document cannot be read; the others are indexed
│   ├── SeedEmpty                          it has no text
│   ├── SeedLocked                         it needs a password
│   ├── SeedScanned                        it has only images of text, and no OCR is available
│   ├── SeedTooLarge                       it is over the limit of size, memory or time
│   ├── SeedDamaged                        its format is supported, but the file is corrupt
│   └── SeedForeign                        its format is not supported
├── SnapshotError                4   503   the index cannot be used
│   ├── IndexMissing                       there is no index yet
│   ├── IndexMismatch                      it was built with another embedder, chunking or format
│   └── IndexDamaged                       a file is missing, or differs from the manifest
├── WeightsError                 5   503   a model cannot be used
│   ├── WeightsMissing                     it has not been downloaded yet
│   ├── WeightsDamaged                     the digest differs from the catalogue
│   └── FetchError                         the download failed
├── PromptError                  6   500   a template is missing, or has an unknown or missing variable
├── StorageError                 7   507   the disk is full, read-only, or not writable; or the address is in use
│   └── KeysDamaged                  503   the file of API keys cannot be read
├── AnswerChanged                8   500   a replayed answer differs
├── EndpointError                9   502   the language model's endpoint sent an invalid response
│   ├── EndpointRefused                    it rejected the request, or returned an error
│   └── EndpointUnavailable          503   it cannot be reached, timed out, or is overloaded: try again later
├── JobFailed                    1   500   a rebuild started by the service failed
└── ServiceStopping              1   503   the service is shutting down, and the question was not finished in time
"""


class RagError(Exception):
    """The base of all errors. `problem` says what is wrong, `hint` how to fix it; together they are the one line that is shown.

    `exit_code` is the exit code of the command line, `status` the HTTP status.
    """

    exit_code = 1
    status = 500

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"{problem}; {hint}")
        self.problem = problem
        self.hint = hint


class QuestionError(RagError):
    """The request is invalid: an empty or overlong question, or a parameter or setting without meaning."""

    exit_code = 2
    status = 400


class KeyRefused(QuestionError):
    """The request has no API key, or an unknown, revoked or expired one."""

    status = 401


class AccessRefused(QuestionError):
    """The scope of the key does not allow the request, or the request comes from an origin or host that is not allowed."""

    status = 403


class NotFound(QuestionError):
    """No document, snapshot, job, model or key has this name."""

    status = 404


class TooSlow(QuestionError):
    """The request took too long to arrive."""

    status = 408


class DocumentChanged(QuestionError):
    """The file has changed since it was indexed."""

    status = 409


class IndexBusy(QuestionError):
    """A build of the index is running."""

    status = 409


class TooLarge(QuestionError):
    """The request is over a limit of size or number."""

    status = 413


class TooManyRequests(QuestionError):
    """The rate limit of the key is reached; `retry_after` is the seconds to wait."""

    status = 429

    def __init__(self, problem: str, hint: str, retry_after: int) -> None:
        super().__init__(problem, hint)
        self.retry_after = retry_after


class TooManyQuestions(TooManyRequests):
    """The queue of questions is full; `retry_after` is the seconds to wait."""


class SeedError(RagError):
    """A document cannot be read."""

    exit_code = 3
    status = 422


class SeedEmpty(SeedError):
    """The document has no text."""


class SeedLocked(SeedError):
    """The document needs a password."""


class SeedScanned(SeedError):
    """The document has only images of text, and no OCR is available."""


class SeedTooLarge(SeedError):
    """The document is over the limit of size, or reading it takes too long or too much memory."""


class SeedDamaged(SeedError):
    """The format of the document is supported, but the file is corrupt."""


class SeedForeign(SeedError):
    """The format of the document is not supported."""


class SnapshotError(RagError):
    """The index cannot be used."""

    exit_code = 4
    status = 503


class IndexMissing(SnapshotError):
    """The home has no index yet."""


class IndexMismatch(SnapshotError):
    """The index was built with another embedder, chunking or format."""


class IndexDamaged(SnapshotError):
    """A file of the index is missing, or differs from the manifest."""


class WeightsError(RagError):
    """A model cannot be used."""

    exit_code = 5
    status = 503


class WeightsMissing(WeightsError):
    """The weights are not in the cache."""


class WeightsDamaged(WeightsError):
    """The digest of the weights differs from the catalogue, or the file is not a model."""


class FetchError(WeightsError):
    """A part of the weights could not be downloaded."""


class PromptError(RagError):
    """A prompt template is missing, or has an unknown or missing variable."""

    exit_code = 6


class StorageError(RagError):
    """The disk is full, read-only, or not writable for this user; or the network address cannot be used."""

    exit_code = 7
    status = 507


class KeysDamaged(StorageError):
    """The file of API keys cannot be read; every request is refused until it can."""

    status = 503


class AnswerChanged(RagError):
    """A replay with the same index, models and settings gave another answer."""

    exit_code = 8


class EndpointError(RagError):
    """The language model's endpoint sent an invalid response."""

    exit_code = 9
    status = 502


class EndpointRefused(EndpointError):
    """The endpoint rejected the request, or returned an error."""


class EndpointUnavailable(EndpointError):
    """The endpoint cannot be reached, timed out, or is overloaded; a later request may succeed."""

    status = 503


class JobFailed(RagError):
    """A rebuild started by the service failed."""


class ServiceStopping(RagError):
    """The service is shutting down, and the question was not finished in time."""

    status = 503
