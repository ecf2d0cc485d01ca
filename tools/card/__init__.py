"""Descriptions of files for catalogues: Croissant and RO-Crate (`python -m tools.card`)."""
