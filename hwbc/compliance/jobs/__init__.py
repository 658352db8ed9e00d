"""What takes longer than a page may: asked for on a page, done by the worker, told about while it is done."""
