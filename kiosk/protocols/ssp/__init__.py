"""ITL SSP and eSSP note validators (NV9, NV200 and kin): frames, tables, encryption and both roles (SSP sheet)."""
