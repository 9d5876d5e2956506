"""What runs inside the Batch container, and in the local subprocess, by the same command line.

::

    __main__      falsework-worker VERB: claim, order, work, outcome, exit code
    claim         who may touch the data of a job
    places        ``fs-…:/path`` to a local path, and the bounds that no path may leave
    folders       opening and making them, links not followed
    stage_in      text files and inputs, S3 to EFS      input_sync, run_locations, lock, leftovers
    shared_input  inputs that several runs use          shared_notes, witness
    stage_out     outputs, EFS to S3, manifests last    output_tree, uploading
    clean_up      the run's own files                   removal, leftovers
    unused        removing anything else, unless a run uses it
    …_batches     what is too much for one job          batch_plans, batch_child
    sync          data syncs, and what is done to paths sync_job, path_job, handlers
    ending        what a job leaves behind, and its exit code
    problems      errors that are the user's to mend
    transfers     what is said in the log
"""
