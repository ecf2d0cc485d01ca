"""Kinds of faults: one function each, registered by `@fault`."""
