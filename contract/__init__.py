"""What crosses a process: the one declaration of it that server, workers, client and tests share.

Nothing here reads or decides. Whoever reads an answer ignores fields that it does not know. How the lines of a log
read, which all processes agree on too, stands in `contract.logs`.
"""
