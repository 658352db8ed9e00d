"""Speed is shown here and never in a timed test."""
