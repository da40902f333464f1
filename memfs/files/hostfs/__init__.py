"""files/: real files, whose bytes lie in a directory of the host.

Names, modes, owners and links go to the host at once; size and data when the model
writes pages back; truncation at once. Sizes and times of files that are open or
dirty are the daemon's, and are put on the host after the last write-back: else
that would destroy the times that cp -a, rsync, tar and make rely on.

What it is not: no view of a directory that others change. The directory is locked;
what is changed beside the mount is not seen. A crash is a power failure without
ordered data: what was fsynced is there.
"""

from memfs.files.hostfs.directory import HostDirectory
from memfs.files.hostfs.store import HostStore

__all__ = ["HostDirectory", "HostStore"]
