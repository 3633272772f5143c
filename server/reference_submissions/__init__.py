"""Outputs that the platform makes itself of labels, scored before anybody submits.

They are no team's and no evaluations: nothing that ranks, counts attempts or lists submissions can come across them.
"""
