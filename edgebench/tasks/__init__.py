"""What a network's output is worth: one file a task, plain numpy."""
