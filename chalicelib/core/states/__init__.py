"""What Amazon States Language says of data: paths, intrinsics, merging, and the names on the way.

Values only, and pure: the plans and calls that are built from them stand in ``core/plans/`` and
``calls.py``. Numbers of sections are those of the Step Functions constructs' specification.
"""
