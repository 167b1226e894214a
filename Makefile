# make ask Q="..."   install, fetch the weights, index seeds/, answer
# make test          install, fetch the weights, run every test
# make test-fast     install, run the tests without weights, without a browser and without those marked slow
# make check         format, lint, types, layers, declared packages, Dockerfile
# make serve         answer over HTTP
# make docs          build the documentation into site/, with its links checked
# make bundle        one archive in dist/, from which a machine without a network installs and answers
# make lock          the newest versions into the lock files
Q ?= Apa yang dikatakan Menteri Pertahanan tentang Venezuela?
# What the user typed, not what make would expand in it.
override Q := $(value Q)
export Q
BIN := .venv/bin

# One process of pytest per core; the one that finishes first takes tests over from the others.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --dist worksteal

.PHONY: ask serve test test-fast check format docs bundle lock clean
ask:
	@scripts/install run
	@$(BIN)/rag models fetch
	@$(BIN)/rag index || test $$? -eq 3
	@$(BIN)/rag ask -- "$$Q"

serve:
	@scripts/install run
	@$(BIN)/rag models fetch
	@$(BIN)/rag index || test $$? -eq 3
	@$(BIN)/rag serve

test:
	@scripts/install dev
	@$(BIN)/rag models fetch multilingual-e5-small-q4 qwen2.5-coder-0.5b-instruct-q4_k_m
	$(PYTEST)

test-fast:
	@scripts/install dev
	$(PYTEST) -m "not real and not browser and not slow"

check:
	@scripts/install dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry rag --optional-dependencies-dev-groups dev,docs
	$(BIN)/hadolint Dockerfile

format:
	@scripts/install dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bundle:
	@scripts/install run
	@$(BIN)/rag models fetch
	$(BIN)/python -m scripts.bundle

lock:
	scripts/lock --upgrade

docs:
	@scripts/install dev
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv .venv.lock dist
