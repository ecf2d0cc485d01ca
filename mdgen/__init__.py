"""Molecular dynamics of glass formers: isoconfigurational ensembles into one file."""
