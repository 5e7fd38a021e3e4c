# Two commands on a fresh machine: `make quickstart` and `make test`.
# ENGINE=gpu installs TensorFlow for NVIDIA GPUs. PYTHON names another interpreter.
PYTHON ?= python3
ENGINE ?= cpu
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: quickstart test test-all lint docs benchmark clean

quickstart: $(VENV)/.quickstart-$(ENGINE)
	$(BIN)/zoo train --config=configs/quickstart.py
	$(BIN)/python -m pipelines.data.samples 'builtin:mnist_5k?validation=0.1' runs/quickstart/samples
	$(BIN)/zoo predict runs/quickstart/artifact runs/quickstart/samples/*.png

test: $(VENV)/.dev-$(ENGINE)
	bash tests/gate.sh $(BIN)

# The gate, with the whole contract on every backbone: 20 minutes more.
test-all: $(VENV)/.dev-$(ENGINE)
	CONTRACT=all bash tests/gate.sh $(BIN)

# The site in docs/_build/html, every warning an error; and the links inside of it.
docs: $(VENV)/.dev-$(ENGINE)
	$(BIN)/python docs/backbone_table.py
	bash docs/build.sh $(BIN) docs/_build/html

# An hour on a quiet machine: what RESULTS.md says beside plain Keras.
benchmark: $(VENV)/.dev-$(ENGINE)
	$(BIN)/python -m benchmarks.suite

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "zootune needs Python 3.10 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras: a second run installs nothing, a changed setup.cfg does.
$(VENV)/.quickstart-$(ENGINE): setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --editable '.[$(ENGINE),quickstart]'
	@touch $@

$(VENV)/.dev-$(ENGINE): setup.cfg pyproject.toml tests/without_dependencies.sh | $(BIN)/python
	$(PIP) install --quiet --editable '.[$(ENGINE),quickstart,kerashub-parts,beam,dev]'
	bash tests/without_dependencies.sh $(BIN)
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
