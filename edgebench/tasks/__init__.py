"""Quality of the outputs: one module per task, plain numpy."""
