"""The demo's teams: small containers without a deep-learning library, each with its own idea of the six tasks.

They run inside images, so these modules import numpy and one another, nothing else of the project.
"""
