"""A whole kiosk on a desk: simulated devices, a real kiosk process beside them, and a bench to work the devices from.

The demonstration owns nothing that a kiosk needs: it writes an ordinary configuration, imports example data by the
ordinary import, and starts the ordinary program.  Only the ends of the three cables are simulated.
"""
