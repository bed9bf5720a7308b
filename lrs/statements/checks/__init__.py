"""Checks of the objects that a statement is made of, one module an object."""
