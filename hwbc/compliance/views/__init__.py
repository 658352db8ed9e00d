"""Pages that span all apps: one module a noun."""
