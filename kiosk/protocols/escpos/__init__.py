"""ESC/POS, the language of receipt printers: commands, answers, and a slip set into bytes.

The host's half is `commands` (what is sent), `status` (telling the answers on one line apart), `condition` (from
status bits to one state), `profile` (what a model can do, as data), `letters` (code pages) and `setting` (a slip
becomes commands).  The printer's half, from which the simulator is made, lives in modules whose names begin with
``device``.  Source: devices sheet §1.
"""
