"""``python -m vsebench``."""

from vsebench.cli import main

if __name__ == "__main__":
    main()
