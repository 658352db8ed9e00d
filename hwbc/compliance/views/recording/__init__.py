"""Writing down what happened to a coach: one page a task. What was written down is corrected by voiding it."""
