"""ccTalk coin acceptors, hoppers and note acceptors: frames, tables, payloads, both ends (ccTalk sheet)."""
