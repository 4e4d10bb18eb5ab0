"""The nouns everybody shares: money, instants, ids, events, commands, invoices and facts.  Pure data."""
