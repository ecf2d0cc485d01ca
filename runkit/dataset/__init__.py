"""Dataset files: their contracts, and how they are written, read and checked."""
