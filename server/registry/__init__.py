"""The registry that people push images to: who may push where, what was pushed, and how it becomes an upload."""
