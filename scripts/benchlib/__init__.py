"""The measurements of scripts/bench, each beside an anchor of the same run.

``table.ROWS`` has one row a measure; docs/bench.rst says what each one means and
what it does not. Not part of the package: nothing of memfs imports it.
"""
