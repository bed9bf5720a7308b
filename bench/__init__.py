"""Measures the product beside what the machine could do at best, as ratios in one run: `python -m bench --help`."""
