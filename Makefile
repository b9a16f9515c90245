# Everything goes into $(VENV): nothing has to be activated, and nothing outside this folder is touched.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
LOG    := $(VENV)/pip.log
TORCH_INDEX_URL ?=
# MPLBACKEND must not be set here: kernels inherit it, and "agg" silently drops every inline figure.

MINIMUM := .venv-minimum
# Left out where only the package is tested: what needs the built book, or the tools that build it.
WITHOUT_BOOK := $(patsubst %,--ignore-glob='*/test_%.py',api_reference book chapters colab contributing explorer_in_browser \
  extensions jupyterlab launch notebooks own_book pages_in_browser) -k "not test_in_the_book"

.PHONY: help book lab pdf test test-slow coverage minimum lint measure links dist screenshots clean

help:
	@echo "make book         build the book into _build/html (installs what it needs into $(VENV) first)"
	@echo "make book SOURCE=FOLDER   the same on your own pictures, into SITE (default: FOLDER-book)"
	@echo "make lab          the chapters in JupyterLab, with a kernel to rerun and change them"
	@echo "make pdf          the book as one PDF, _build/book.pdf (needs Chromium)"
	@echo "make test         build the book, lint, and run the tests"
	@echo "make test-slow    the statistical tests that take minutes"
	@echo "make coverage     how much of the package its tests run, no less than 92 %, into leakage/notebook/records/coverage.csv"
	@echo "make minimum      the package's tests with the oldest libraries it admits, in $(MINIMUM)"
	@echo "make lint         style, types, imports, docstrings, notebooks and workflows; at each commit: $(BIN)/pre-commit install"
	@echo "make links        ask every site that the book links to, answers in _build/links.txt"
	@echo "make dist         wheel and source distribution into dist"
	@echo "make screenshots  pictures of every built page into _build/screenshots (needs Chromium)"
	@echo "make measure      time and memory of every chapter, into leakage/notebook/records/chapters.csv"
	@echo "make clean        remove _build"
	@echo
	@echo "No GPU? 'make book TORCH_INDEX_URL=URL' takes torch from URL, for instance PyTorch's index of CPU wheels."

# The stamp is made last, so an install that was cut short is taken up again by the next make.
$(STAMP): pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed and '$(PYTHON)' is not that. Name another: make PYTHON=python3.12" >&2; exit 1; }; \
	  $(PYTHON) -m venv $(VENV) || { \
	    echo "Could not make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }; }
	@echo "Installing into $(VENV): minutes and gigabytes the first time. Log: $(LOG)"
	@{ { test -z "$(TORCH_INDEX_URL)" \
	      || $(BIN)/python -m pip install --index-url "$(TORCH_INDEX_URL)" torch torchvision; } \
	    && $(BIN)/python -m pip install -c constraints.txt -e '.[book,test]'; } >$(LOG) 2>&1 || { \
	  tail -n 25 $(LOG) >&2; \
	  ! grep -qE "command '[^']*(cc|\+\+)|(gcc|g\+\+|cc|clang).*(not found|No such file)|Python\.h|nknown compiler" $(LOG) \
	    || echo "A compiler or the headers of Python seem to be missing. On Debian or Ubuntu: apt-get install build-essential python3-dev" >&2; \
	  echo "The installation failed; the whole log is $(LOG)" >&2; exit 1; }
	@touch $@

# The chapters run first, as many at once as there are cores; jupyter-book alone would run them one by one.
# _build/html goes before it, so that no page of a removed chapter lives on. Without --all, Sphinx repeats
# no warning about a page that it does not read again, and a broken book would pass the second time.
book: $(STAMP)
ifdef SOURCE
	$(BIN)/leakage book "$(SOURCE)" -o "$(or $(SITE),$(SOURCE:/=)-book)"
else
	rm -rf _build/html
	$(BIN)/python scripts/run_chapters.py
	$(BIN)/jupyter-book build . --all -W -n --keep-going
	$(BIN)/python scripts/check_book.py _build/html
endif

lab: $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[lab]'
	$(BIN)/jupyter lab notebooks/encryption.ipynb

pdf: $(STAMP)
	$(BIN)/python scripts/run_chapters.py
	$(BIN)/jupyter-book build . --all --builder singlehtml
	$(BIN)/python scripts/pdf.py _build/singlehtml _build/book.pdf

# Two workers, each with one thread: the threads of two would wait for each other. A file goes to one of them,
# but for the chapters, which go to whichever is free (tests/conftest.py).
test: book lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist loadgroup

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

coverage: $(STAMP)
	$(BIN)/python -m pytest leakage tests $(WITHOUT_BOOK) -m "not slow" -n auto -q --cov=leakage --cov-fail-under=92
	$(BIN)/python scripts/record_coverage.py

# From nothing each time: uv keeps whatever is installed and good enough. For the same reason torch comes first and
# alone from an index of one's own, and the others from the usual one, since such an index has few versions of them.
minimum:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "The oldest libraries have wheels for Python 3.11, and '$(PYTHON)' is not that: make minimum PYTHON=python3.11" >&2; exit 1; }
	rm -rf $(MINIMUM)
	$(PYTHON) -m venv $(MINIMUM)
	$(MINIMUM)/bin/python -m pip install -q -c constraints.txt uv
	test -z "$(TORCH_INDEX_URL)" || $(MINIMUM)/bin/uv pip install --python $(MINIMUM) --resolution lowest-direct \
	  --no-deps --default-index "$(TORCH_INDEX_URL)" $$(grep -oE 'torch(vision)?>=[0-9.]+' pyproject.toml)
	$(MINIMUM)/bin/uv pip install --python $(MINIMUM) --resolution lowest-direct -c constraints-minimum.txt -e '.[test]'
	OMP_NUM_THREADS=1 $(MINIMUM)/bin/python -m pytest leakage tests $(WITHOUT_BOOK) -m "not slow" -n 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_docstrings.py
	$(BIN)/nbstripout --keep-id --verify notebooks/*.ipynb
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml

# After `make book`, whose executed notebooks it takes; Jupyter Book writes among the pages, whatever the builder.
links: $(STAMP)
	$(BIN)/jupyter-book build . --all --builder linkcheck; status=$$?; \
	  rm -f _build/html/output.json; mv _build/html/output.txt _build/links.txt; exit $$status

dist: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build

measure: $(STAMP)
	$(BIN)/python scripts/measure_chapters.py

screenshots: $(STAMP)
	$(BIN)/python scripts/screenshots.py _build/screenshots

clean:
	rm -rf _build
