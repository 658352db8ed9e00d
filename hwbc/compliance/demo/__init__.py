"""The demo: an invented service, told up to a day, brought in as a workbook by the ordinary import.

`world` says who and where; `employment`, `courses`, `meetings` and `referrals` what happened; `workbook` writes it
down; `actions.make` brings it in. `cast` are those of its people whom everybody may sign in as, on this machine alone.
"""
