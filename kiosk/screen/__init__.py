"""What the citizen sees: draws the kernel's snapshot, posts intents, and owns no state.

`app.build` makes the web application, `server.ScreenServer` runs it in a thread of its own.  asyncio and the web
libraries live here and nowhere near the money.
"""
