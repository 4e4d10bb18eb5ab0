"""What is owed, and why: services, policies, labels and cash rules as dated data, and the price of an invoice.

Pure: texts come in, values go out.  The same code tells the same price on a kiosk, at the hub and in a
verifier (domain sheet §9, invariant 12).  Every amount in the example data is for "Example City".
"""
