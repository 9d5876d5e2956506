"""Data syncs: folders and objects brought from one place to another, and what is done to paths.

::

    locations    a path of any kind to an object's name or a local path, with its bound
    local_tree   what a local folder holds          listing   what a source consists of
    ends         whether both ends fit together     planning  reading: both sides, one SyncPlan
    comparing    content: what only reading can tell
    syncing      plan, carry out, count             moving    the source given up, safely
    arriving     carried out here                   departing carried out in the object store
    local_copy   files from folder to folder        locks     one sync at a time
    batches      many syncs, and cutting one up     progress  how far it is
    leavings     what a killed sync leaves behind   json_files, verify
    paths        statistics, lists, scans, removal

A sync deletes last and nothing unasked, and whenever it is killed, starting it again ends in the
same state. Bytes to and from the object store are moved by a ``Carrier`` (``ports``).
"""
