"""Lattice-Boltzmann flow past obstacles: cases into one file."""
