"""``python -m vsebench``."""

from vsebench.cli.app import main

if __name__ == "__main__":
    main()
