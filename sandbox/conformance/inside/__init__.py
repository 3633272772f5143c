"""The program that runs inside the container: denied acts, what the next case finds, and the canary.

These files are copied into the image as they are, so they import the standard library only, little of it, and
each other relatively. The host imports them too, for the names of the acts.
"""
