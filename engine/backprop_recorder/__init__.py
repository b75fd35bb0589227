"""Records what a PyTorch program really computes, into a file, and changes nothing of it.

The one package that imports torch beside the oracle's child process; only who records imports it.
"""
