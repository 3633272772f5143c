"""Deleting what a challenge does not need any more, with a plan before and a certificate after."""
