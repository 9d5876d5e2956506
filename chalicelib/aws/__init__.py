"""The AWS home: the ports over boto3, and the only place that imports it."""
