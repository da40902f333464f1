"""What each request of the kernel is answered with, from a tree and its volumes.

One method a request, with the name and arguments of ``pyfuse3.Operations``; each
raises TreeError, or anything with an errno. Below a ``VolumeDir`` a request goes to
the volume, else it is answered from the node, and a name that is to be made or
taken away is refused as the directory's ``Manners`` say.

What it is not: it imports no pyfuse3. What goes over the wire is made by a ``Wire``
(memfs/fuse.py has the real one), so all of this can be tested without a kernel.

Concurrency: one thread. The handlers of generated nodes run from request to answer
without waiting, but for ``write``, and ``open`` for writing: so each is atomic.
"""

from __future__ import annotations

from memfs.handlers.directories import Directories
from memfs.handlers.files import Files
from memfs.handlers.names import Names
from memfs.handlers.wire import Ctx, Wire
from memfs.handlers.xattrs import Xattrs

__all__ = ["Ctx", "Handlers", "Wire"]


class Handlers(Names, Files, Directories, Xattrs):
    """The requests of one mount; see Base for what they share."""
