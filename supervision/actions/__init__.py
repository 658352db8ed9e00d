"""The only code that writes supervision: one module a noun."""
