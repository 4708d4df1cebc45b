# One way in. Every target works on a fresh Debian machine as root and on a laptop as a user.
# Bare Debian first: apt-get install make git python3-venv openssl
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export BYLINE_HOME ?= $(CURDIR)/.byline
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: install install-dev chromium demo film run test soak lint format bench train-starter clean
.DELETE_ON_ERROR:

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml setup.py | $(BIN)/python
	$(BIN)/pip install -q -e '.[cms]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml setup.py | $(BIN)/python
	$(BIN)/pip install -q -e '.[dev]'
	touch $@ $(VENV)/.installed

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

chromium: $(VENV)/.installed-dev
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	|| { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -q && apt-get install -yq chromium; } \
	|| $(BIN)/playwright install chromium

demo: install
	$(BIN)/byline demo --out demo

# A minute from a brief: draft, the edited storyboard, voice, music, twelve shots, finished and verified.
film: install
	$(BIN)/byline film produce --file docs/examples/storm/brief.md --storyboard docs/examples/storm/storyboard.json \
		--seconds 58 --brand demo-news --music calm --seed 11 --out film

run: install
	$(BIN)/byline serve

test: install-dev chromium
	$(BIN)/python -m pytest -m "not soak" -q

soak: install-dev
	$(BIN)/python -m pytest -m soak -q

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=.typing $(BIN)/lint-imports
	$(BIN)/mypy

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-pipeline

bench-%: install-dev
	$(BIN)/python -m bench.$* $(BENCHFLAGS)

# Slices resume: run it again to train on. RUN keeps the state, weights/ is written at the end.
RUN ?= .byline/starter
train-starter: install-dev
	$(BIN)/python -m byline.generation.starter.train --stage vae-frames --out $(RUN) --minutes 20 --workers 3 --threads 1
	$(BIN)/python -m byline.generation.starter.train --stage bank --out $(RUN) --shards 20 --workers 3 --threads 1
	$(BIN)/python -m byline.generation.starter.train --stage dit --out $(RUN) --minutes 60 --workers 3 --threads 1
	$(BIN)/python -m byline.generation.starter.train --stage upscaler --out $(RUN) --minutes 26
	$(BIN)/python -m byline.generation.starter.ship --run $(RUN)

clean:
	rm -rf $(VENV) build dist *.egg-info demo film
