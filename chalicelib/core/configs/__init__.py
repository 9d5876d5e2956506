"""Configs of the ``workflow`` client: their nouns, and every decision about them. Pure.

A config becomes pipelines, a pipeline has steps, and a step is works of the work queue.
``chalicelib/configs`` performs it over small documents and the queue.
"""
