"""Machines from outside: descriptions that other programs have, as machine files.

``sysfs`` reads a copy of a real machine's sys/, ``hwloc`` its synthetic topologies,
``qemu`` its command line; each gives a ``Description``, which ``toml`` writes. They
read and compute; nothing here is mounted or booted.
"""
