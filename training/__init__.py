"""How the shipped judge is made: data in, one file of weights out. `python -m training --help`; see training/README.md."""
