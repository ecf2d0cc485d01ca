"""A lock that keeps two runs from filling the same file; it dies with its holder.

On a file system without locks a run goes on without one, with a note: it writes the same bytes with and without.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from runkit.errors import UserError
from runkit.outputs import require_regular, shortened, sibling, state_of

# Errors of file systems without locks: ENOLCK and EOPNOTSUPP by the standard; some network and FUSE file systems give
# ENOSYS, EINVAL, EIO or the kernel's own ENOTSUPP.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO, 524)


def lock_of(part: Path) -> Path:
    """The lock beside an unfinished file."""
    return sibling(part, ".lock")


class FileLock:
    """An exclusive lock on the file `path`, which is created for it and removed by `release`.

    Raises UserError if another run holds it, or if there can be no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = self._take()

    def release(self) -> None:
        """Remove the lock's file and let go; a second call does nothing."""
        if self._descriptor is not None:
            with suppress(OSError):  # the folder may have gone
                self.path.unlink()
            os.close(self._descriptor)
        self._descriptor = None

    def _take(self) -> int | None:
        require_regular(self.path, state_of(self.path))  # a pipe could not be written to
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise UserError(f"{shortened(self._guarded)} cannot be written: {error.strerror}") from error
            self._lock(descriptor)
            # Another holder may have removed the file between opening and locking it.
            if os.fstat(descriptor).st_nlink:
                with suppress(OSError):  # on a full disk the lock holds, though without a name
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
                return descriptor
            os.close(descriptor)

    @property
    def _guarded(self) -> Path:
        return self.path.with_suffix("")

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace")
            os.close(descriptor)
            raise UserError(f"{self._guarded} is being written by another run ({holder})") from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(descriptor)
                raise UserError(f"{self.path} cannot be locked: {error.strerror}") from error
            note = f"note: {self._guarded}: no locks on this file system ({error.strerror}); let no other run write it"
            print(note, file=sys.stderr, flush=True)
