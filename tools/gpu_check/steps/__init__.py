"""The steps of the check, one to a file."""
