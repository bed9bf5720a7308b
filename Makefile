# Two targets matter to a newcomer: demo and test.
.PHONY: demo test lint clean

demo:
	./bootstrap
	.venv/bin/lrs demo $(if $(ONCE),--once)

test:
	./bootstrap test
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -q -n 2 $(ARGS)

lint:
	./bootstrap test
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

clean:
	rm -rf .venv build dist *.egg-info
