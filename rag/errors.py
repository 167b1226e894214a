"""The one error tree. Every error is one line: what is wrong, then the command that mends it.

RagError                      exit  HTTP   when
├── QuestionError                2   400   the question is empty, too long, or a setting has no meaning
│   ├── KeyRefused                   401   no key, or one that is unknown, revoked or expired
│   ├── AccessRefused                403   the key does not go so far, or a page of another site asks
│   ├── NotFound                     404   there is no such document, snapshot, job or key
│   ├── TooSlow                      408   a request takes too long to arrive
│   ├── DocumentChanged              409   the file is not the one that was indexed
│   ├── IndexBusy                    409   a build is at work on the index
│   ├── TooLarge                     413   a file, or their number, is over the limit
│   └── TooManyRequests              429   the key has asked as often as it may, for now
│       └── TooManyQuestions               as many are asked as can wait
├── SeedError                    3   422   a document cannot be read; the others are indexed
│   ├── SeedEmpty                          there is nothing in it
│   ├── SeedLocked                         it wants a password
│   ├── SeedScanned                        it is of pictures of text, and nothing here reads them
│   ├── SeedTooLarge                       it has more than is read, or takes longer
│   ├── SeedDamaged                        it is of a kind that is read, and broken
│   └── SeedForeign                        it is of no kind that is read
├── SnapshotError                 4   503   the index cannot serve
│   ├── IndexMissing                       there is none yet
│   ├── IndexMismatch                      another embedder, chunking or format made it
│   └── IndexDamaged                       a file of it is not what the manifest says
├── WeightsError                 5   503   a model cannot be used
│   ├── WeightsMissing                     not fetched yet
│   ├── WeightsDamaged                     the bytes do not have the digest of the catalogue
│   └── FetchError                         the package index did not give them
├── PromptError                  6   500   a template is missing, or names a variable nobody gives
├── StorageError                 7   507   the disk is full, read-only, or not ours
│   └── KeysDamaged                  503   the file of the keys cannot be read
├── AnswerChanged                8   500   a replayed answer is not the same
├── EndpointError                9   502   the language model's endpoint does not answer as it should
│   ├── EndpointRefused                    it does not take the request itself, or fails at it
│   └── EndpointUnavailable          503   it is not reached, silent, or has too much to do: later it may answer
├── JobFailed                    1   500   a rebuild of the service ended before it was done
└── ServiceStopping              1   503   the service is told to end, and a question was not done in time
"""


class RagError(Exception):
    """One line for the user. `problem` says what is wrong, `mend` the command or act that repairs it."""

    exit_code = 1
    status = 500

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(f"{problem}; {hint}")
        self.problem = problem
        self.hint = hint


class QuestionError(RagError):
    """The request itself cannot be answered as it stands."""

    exit_code = 2
    status = 400


class KeyRefused(QuestionError):
    """There is no key with the request, or it is unknown, revoked or expired."""

    status = 401


class AccessRefused(QuestionError):
    """The key does not go so far, or the request comes from where none is taken from."""

    status = 403


class NotFound(QuestionError):
    """There is nothing under the name that was given."""

    status = 404


class TooSlow(QuestionError):
    """The request takes too long to arrive."""

    status = 408


class DocumentChanged(QuestionError):
    """The file in the seeds is not the one that was indexed."""

    status = 409


class IndexBusy(QuestionError):
    """A build is at work on the index."""

    status = 409


class TooLarge(QuestionError):
    """More was sent, or asked for, than is taken at once."""

    status = 413


class TooManyRequests(QuestionError):
    """The key has asked as often as it may, for now; after `retry_after` seconds it may again."""

    status = 429

    def __init__(self, problem: str, hint: str, retry_after: int) -> None:
        super().__init__(problem, hint)
        self.retry_after = retry_after


class TooManyQuestions(TooManyRequests):
    """As many questions are asked at once as can wait; after `retry_after` seconds there may be room."""


class SeedError(RagError):
    """A document cannot be read."""

    exit_code = 3
    status = 422


class SeedEmpty(SeedError):
    """The document says nothing."""


class SeedLocked(SeedError):
    """Only a password opens the document."""


class SeedScanned(SeedError):
    """The document is of pictures of text, and there is nothing here that reads them."""


class SeedTooLarge(SeedError):
    """The document has more than is read, or takes longer or more memory to read than a document may."""


class SeedDamaged(SeedError):
    """The document is of a kind that is read, and broken."""


class SeedForeign(SeedError):
    """The bytes are of no kind that is read."""


class SnapshotError(RagError):
    """The index cannot serve."""

    exit_code = 4
    status = 503


class IndexMissing(SnapshotError):
    """No snapshot has been built in this home."""


class IndexMismatch(SnapshotError):
    """The snapshot was built with another embedder, chunking or format."""


class IndexDamaged(SnapshotError):
    """A file of the snapshot is missing or is not what the manifest says."""


class WeightsError(RagError):
    """A model cannot be used."""

    exit_code = 5
    status = 503


class WeightsMissing(WeightsError):
    """The weights are not in the cache."""


class WeightsDamaged(WeightsError):
    """The bytes do not have the digest of the catalogue, or are no model."""


class FetchError(WeightsError):
    """The package index did not give a part of the weights."""


class PromptError(RagError):
    """A template is missing, or its variables are not those that the code gives."""

    exit_code = 6


class StorageError(RagError):
    """The disk is full, read-only, or not ours to write."""

    exit_code = 7
    status = 507


class KeysDamaged(StorageError):
    """The file of the keys cannot be read; nobody is let in."""

    status = 503


class AnswerChanged(RagError):
    """What made an answer is all there, and yet another one is made of it."""

    exit_code = 8


class EndpointError(RagError):
    """The language model's endpoint does not answer as it should."""

    exit_code = 9
    status = 502


class EndpointRefused(EndpointError):
    """The endpoint does not take the request itself, or fails at it."""


class EndpointUnavailable(EndpointError):
    """The endpoint is not reached, silent, or has too much to do."""

    status = 503


class JobFailed(RagError):
    """A rebuild that the service started ended before it was done."""


class ServiceStopping(RagError):
    """The service is told to end, and the question was not done in the time that is left."""

    status = 503
