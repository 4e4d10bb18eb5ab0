"""The plugin contract: what drivers are, what hooks declare, how strangers are loaded, checked and kept apart."""
