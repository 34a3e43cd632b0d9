"""`python -m edgebench`: the command line."""

from edgebench.cli import main

if __name__ == "__main__":
    main()
