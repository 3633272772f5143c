"""An example of metrics that are not built into the evaluator."""
