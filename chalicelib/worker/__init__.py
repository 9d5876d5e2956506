"""What runs inside the Batch container, and in the local subprocess, by the same command line.

::

    __main__      falsework-worker VERB: claim, order, work, outcome, exit code
    claim         who may touch the data of a job
    places        ``fs-…:/path`` to a local path, and the bounds that no path may leave
    folders       opening and making them, links not followed
    stage_in      text files and inputs, S3 to EFS      fetching, lock, leftovers
    stage_out     outputs, EFS to S3, manifests last    output_tree
    clean_up      the run's own files                   removal, leftovers
    problems      errors that are the user's to mend
    transfers     several files at a time, with progress
"""
