"""Deploying: the stacks, what is built for Lambda, and what its functions may do.

Nothing here is part of the application. It runs on the machine that deploys, in the Python that
Lambda will run (``lambda_python``), and reads ``foundation.yaml``, ``merge.yaml``, ``.chalice/``.
"""
