"""A package of somebody else that adds a part of every kind; tests make it importable (`test_outside.py`)."""
