"""Is this GPU machine right, and how fast is it? A program of steps, each in a process of its own with its own limit.

`__main__.py` is the command line, `runner.py` runs steps and writes results, `report.py` makes tables of them,
`prepare.py` gathers what a machine without network needs. A step is a file in `steps/`: its docstring says what it
finds out, `STEP` when it runs and for how long, `TABLES` how its figures are shown; `run(bench)` measures.
Adding a step is adding a file.
"""
