"""`python -m edgeinfer` is the command `edgeinfer`."""

from edgeinfer.cli.main import main

main()
