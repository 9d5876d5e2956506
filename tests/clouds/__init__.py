"""The AWS that the tests talk to: servers on 127.0.0.1, and what is set up in them.

``moto`` stands in for every service, dynalite for DynamoDB once more: it shares no code with moto,
so what holds on both is a property of DynamoDB and not of an imitation.
"""
