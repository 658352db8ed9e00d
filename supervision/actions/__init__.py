"""The only code that writes supervision: meetings, who supervises whom, and what supervisors can show."""
