"""``python -m tinysim``."""

from tinysim.cli import main

main()
