import pytest

# Its asserts are a test's: where one fails, pytest shows the values.
pytest.register_assert_rewrite("tests.indexing.contract")
