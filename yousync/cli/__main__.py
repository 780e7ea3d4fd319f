"""`python -m yousync.cli` is the `yousync` command."""

from yousync.cli import main

if __name__ == "__main__":
    main()
