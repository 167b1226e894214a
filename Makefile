# make ask Q="..."   install, fetch the weights, index seeds/, answer
# make test          install, fetch the weights, run every test
# make check         format, lint, types, layers, declared packages, Dockerfile
# make serve         answer over HTTP
# make bundle        one archive in dist/, from which a machine without a network installs and answers
# make lock          the newest versions into the lock files
Q ?= Apa yang dikatakan Menteri Pertahanan tentang Venezuela?
# What the user typed, not what make would expand in it.
override Q := $(value Q)
export Q
BIN := .venv/bin

.PHONY: ask serve test check format bundle lock clean
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
	$(BIN)/python -m pytest

check:
	@scripts/install dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry rag --optional-dependencies-dev-groups dev
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

clean:
	rm -rf .venv .venv.lock dist
