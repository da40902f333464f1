"""A file system that shows a machine's memory the way Linux shows it.

What is shown is backed by a model of the Linux VM (``memfs.vm``) that really
allocates, ages and reclaims pages. This package holds the mount and the command
line; ``memfs.vm`` is a library of its own and needs neither pyfuse3 nor trio.
"""

from __future__ import annotations

__version__ = "0.1.0"
