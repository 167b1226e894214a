"""How the shipped judge is trained: from data to one file of weights. See training/README.md, `python -m training --help`."""
