"""A browser's session: how long it lasts, what is typed in it and not saved, and when one confirms who one is."""
