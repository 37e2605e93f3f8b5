"""Locks of the file system: of the processes that share a home, one at a time makes or replaces a folder."""

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

# What disks answer that keep no locks, such as some that lie behind a network.
LOCKLESS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which need not be there; whoever wants it meanwhile waits.

    The lock ends with its process, however that ends; its file stays beside the folder. On a disk that keeps no locks
    nobody waits, so what is done here has to end well when two do it at once. Raises OSError when its file cannot be
    opened.
    """
    handle = _opened(folder.with_name(f".{folder.name}.lock"))
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in LOCKLESS:
                raise
            logger.warning("the disk of %s keeps no locks (%s): going on without", folder, error.strerror)
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    """Return the open file of a lock, which every account that may write in its folder can open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)
    # Processes of a stack make files for their account alone. Where a disk knows no rights, nothing is lost.
    with contextlib.suppress(OSError):
        os.fchmod(handle, 0o666)
    return handle
