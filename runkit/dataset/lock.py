"""A lock that keeps two runs from filling the same file; it dies with its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

from runkit.errors import UserError


class FileLock:
    """An exclusive lock on the file `path`, which is created for it and removed by `release`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = self._take()

    def release(self) -> None:
        """Remove the lock's file and let go; a second call does nothing."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
        self._descriptor = None

    def _take(self) -> int | None:
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise UserError(f"{self.path.with_suffix('')} cannot be written: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace")
                os.close(descriptor)
                raise UserError(f"{self.path.with_suffix('')} is being written by another run ({holder})") from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
            # Another holder may have removed the file between opening and locking it.
            if os.fstat(descriptor).st_nlink:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
                return descriptor
            os.close(descriptor)
