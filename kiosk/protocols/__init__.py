"""Wire protocols, pure and sans-I/O: a codec for each, with the host role and the device role.

Nothing here opens a port, reads a clock or keeps a thread; bytes and the time come in, bytes and values go out.
The device role of a protocol plus a scenario is its simulator, so the simulator cannot drift from the codec.
"""
