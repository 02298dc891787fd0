"""The soak: clients of all kinds at a haul serve that is killed, reloaded, filled up and cut off, and a checker of what
they wrote down. `scripts/soak` runs it, docs/soak.md says what it does and how to read it.

    content, journal      what is sent, and where everything that happens is written down
    world, relay          the server with its disk, and the link before it that is cut
    places, client        which paths there are and who may use them; one client's life
    wire, upload_*, …     the ways in which a file goes up or down
    disturber, sampler    what goes wrong, and what the server takes meanwhile
    ending                what is left when all have gone
    check/                judges the journal and what was left; knows nothing of how they came about
"""
