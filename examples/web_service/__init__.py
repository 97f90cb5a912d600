"""A web server as a child: Hypercorn, under `trio-otp run`."""
