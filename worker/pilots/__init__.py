"""Pilots: run workers that are jobs of a batch system, and how many of them the queue deserves.

keeping     one round: what is asked, what follows from it, what is done
deciding    how many jobs, which to cancel, and why; it asks nobody
slurm       sbatch, squeue --json, scancel
settings    what a job is: from a file and from options
"""
