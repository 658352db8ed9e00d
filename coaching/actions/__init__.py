"""The only code that writes the work: `referrals` (received, given to a coach, closed) and `sessions`."""
