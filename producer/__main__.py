"""`python -m producer` is the command `factory`: for processes that must not depend on where it was installed."""

from producer.cli import main

main()
