"""`python -m lrs`: the same as the console script `lrs`."""
from lrs.cli.main import main

if __name__ == "__main__":
    main()
