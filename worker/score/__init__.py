"""Score workers: check uploaded images, score finished evaluations, put expired leases back.

They see references and outputs and never run anybody's code.
"""
