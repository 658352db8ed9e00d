"""Forms of the pages that span all apps: one module a noun."""
