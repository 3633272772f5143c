"""The shortest program that keeps the contract of a run, for people to put their model into, and what builds it.

Made of a challenge file alone, so that a challenge's page and `proctor init` give the same.
"""

from contract.skeleton._image import FETCH, definition, dockerfile, requirements
from contract.skeleton._program import has_program, program

__all__ = ["FETCH", "definition", "dockerfile", "has_program", "program", "requirements"]
