"""``python -m wattribute``."""

from wattribute.cli import main

if __name__ == "__main__":
    main()
