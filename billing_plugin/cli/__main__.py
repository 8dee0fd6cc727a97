"""Runs the command line as `python -m billing_plugin.cli`."""

from billing_plugin.cli import main

if __name__ == "__main__":
    main()
