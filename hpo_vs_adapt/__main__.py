"""``python -m hpo_vs_adapt`` is the command ``hpo-vs-adapt``."""

from hpo_vs_adapt.cli.app import main

if __name__ == "__main__":
    main()
