"""Run workers: lease a case over HTTP, run it in the sandbox, upload its canonical output, finish.

They hold no keys: no database address, no references. All they know of a case is what its lease says.
"""
