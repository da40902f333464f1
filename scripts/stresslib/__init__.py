"""Real programs at work in a mount whose nodes are taken away and brought back.

``python -m stresslib`` is what scripts/stress runs. jobs.py says which programs, with
what result; nodes.py takes nodes away; tree.py compares what is in two directories.
"""
