"""What whole parts of the pipeline cost and how well they do, where several rooms meet."""
