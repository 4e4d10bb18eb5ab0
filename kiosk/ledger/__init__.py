"""What money means: chart of accounts, balanced entries, how tender fills invoices, balances.

Pure.  Debits are positive, credits negative; an entry sums to zero in total and in every fund.
"""
