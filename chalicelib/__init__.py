"""Falsework: container jobs on AWS Batch, or on one machine, from a request to its outputs.

Imports point downwards: ``cli`` → ``web | worker`` → ``bootstrap`` → ``aws | local`` →
``intake`` → ``engine`` → ``calls`` → ``ports`` → ``settings`` → ``core``. See docs/architecture.md.
"""
