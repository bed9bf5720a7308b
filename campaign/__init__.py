"""Machines that try to break the product's promises, with real processes; each is run by hand or by `make`."""
