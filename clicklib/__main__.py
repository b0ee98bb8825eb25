"""`python -m clicklib` is `clicklib`."""

from clicklib.cli.commands import main

if __name__ == "__main__":
    main()
