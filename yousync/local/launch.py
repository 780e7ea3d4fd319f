"""Run as a script: become an unprivileged account, ask the kernel to end us with our parent, then exec.

    python -I -S launch.py PARENT_PID DEATH_SIGNAL UID:GID PROGRAM [ARGUMENT ...]

A process of its own instead of a `preexec_fn`, which is unsafe in a program with threads. `-` stands for "keep
the account".
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Never returns: ends as the program named on the command line."""
    parent, signal_number, account, *command = sys.argv[1:]
    os.umask(0o077)
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.chdir("/")  # the caller's folder may be closed to this account
    if sys.platform == "linux":
        # After setuid, which clears it. Without it a killed `yousync up` would leave servers behind.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != int(parent):  # the parent died before the kernel knew
            sys.exit(1)
    try:
        os.execv(command[0], command)  # noqa: S606  # that is the purpose; no shell is involved
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
