"""Amazon States Language: the state machine that does on AWS Step Functions what a document asks.

Pure. ``machine`` is the way in. ``stages`` turns a pipeline's stages into states, ``order`` what
they come after into chains and Parallel states; ``jobs``, ``files`` and ``demands`` are the kinds
of run. Those whose plan can be made now are made by the same builders as our own runs are, and
``tasks`` writes each of the plan's stages as a state. What cannot be said is refused.
"""
