"""A template for participants: one small pretrained network that serves all six FOMO26 tasks.

It stands on numpy, nibabel and torch alone, so that the folder can be copied and changed freely.
"""
