"""The hub: takes in the journals of all kiosks, posts them, publishes what is owed, and lets people check it.

    kiosk --CURVE--> front --+-- worker 0 … n     segments, committed before they are acknowledged
                             +-- librarian        reference data, read from what was published
                                 projector        segments -> facts, entries, balances, cases, findings; publishes
                                 web              pages for operators; alerts

Each part is a process of its own; what they share is the database (`hub.store`).  The hub reaches neither core,
checkout, drivers, transports nor plugins: it could become a distribution of its own.
"""
