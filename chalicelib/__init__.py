"""Falsework: container jobs on AWS Batch, or on one machine, from a request to its outputs.

Imports point downwards, see docs/architecture.md: ``cli`` → ``web | worker`` → ``bootstrap`` →
``aws | local`` → ``intake`` → ``engine`` → ``calls`` → ``ports`` → ``settings`` → ``core``.
"""
