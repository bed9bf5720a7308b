# Two targets matter to a newcomer: demo and test.
.PHONY: demo test lint bench bench-peers campaign conformance simulate mutants clean

demo:
	./bootstrap
	.venv/bin/lrs demo $(if $(ONCE),--once)

# the tests start hundreds of Pythons: without bytecode each of them would compile the product anew
test: export PYTHONDONTWRITEBYTECODE =
test:
	./bootstrap test
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/pytest -q -n 3 --durations 30 $(ARGS)

lint:
	./bootstrap test
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench:
	./bootstrap
	.venv/bin/python -m bench $(ARGS)

bench-peers:
	./bootstrap
	.venv/bin/python -m bench --peer "$(PEER)" "$(KEY)" "$(SECRET)" $(ARGS)

campaign:
	./bootstrap test
	.venv/bin/python -m campaign $(ARGS)

simulate:
	./bootstrap
	.venv/bin/python -m simulation $(ARGS)

mutants:
	./bootstrap test
	.venv/bin/python -m mutants $(ARGS)

conformance:
	./bootstrap
	.venv/bin/python -m campaign.conformance "$(SUITE)" $(if $(STORE),--store "$(STORE)") $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info
